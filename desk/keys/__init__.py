# SPDX-License-Identifier: AGPL-3.0-or-later
"""Public keys of users."""
