# SPDX-License-Identifier: AGPL-3.0-or-later
"""Search in what is sealed: an index in memory, of which nothing is ever on disk."""
