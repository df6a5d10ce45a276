# SPDX-License-Identifier: AGPL-3.0-or-later
"""Matrix events, opened and read."""
