# SPDX-License-Identifier: AGPL-3.0-or-later
"""GnuPG: its processes, its words, its keys."""
