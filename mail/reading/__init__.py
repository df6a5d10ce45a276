# SPDX-License-Identifier: AGPL-3.0-or-later
"""A letter from its bytes to what the desk decides on."""
