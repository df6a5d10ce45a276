# SPDX-License-Identifier: AGPL-3.0-or-later
"""The subcommands of `helproom`, with their arguments; nothing here imports what they run.

A mail server starts `helproom deliver` for each letter: what it does not need must not be loaded.
"""
