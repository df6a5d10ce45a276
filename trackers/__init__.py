# SPDX-License-Identifier: AGPL-3.0-or-later
"""Issue trackers outside, behind a small interface."""
