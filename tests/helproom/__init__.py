# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tests of the console script and what it is made of."""
