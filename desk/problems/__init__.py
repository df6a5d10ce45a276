# SPDX-License-Identifier: AGPL-3.0-or-later
"""Known bugs, and the tickets about them."""
