# SPDX-License-Identifier: AGPL-3.0-or-later
"""What works on letters in the background."""
