# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mails of other projects, and what Helproom must say of each; see `scripts/corpora`."""
