# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keys, and columns that are sealed with them."""
