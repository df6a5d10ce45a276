# SPDX-License-Identifier: AGPL-3.0-or-later
"""The tests, in the same folders as the code."""
