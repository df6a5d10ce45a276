# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tests of the Matrix edge, on a real Synapse and on one that misbehaves."""
