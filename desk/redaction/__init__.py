# SPDX-License-Identifier: AGPL-3.0-or-later
"""Taking out of logs what says who somebody is."""
