# SPDX-License-Identifier: AGPL-3.0-or-later
"""Figures of a running desk, as ratios against the bare tools measured in the same run."""
