# SPDX-License-Identifier: AGPL-3.0-or-later
"""What all features share: opened once, in this order, and closed in the other."""
