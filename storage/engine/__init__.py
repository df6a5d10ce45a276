# SPDX-License-Identifier: AGPL-3.0-or-later
"""The databases' own ways."""
