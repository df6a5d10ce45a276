# SPDX-License-Identifier: AGPL-3.0-or-later
"""Named queries, one file a noun."""
