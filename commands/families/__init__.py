# SPDX-License-Identifier: AGPL-3.0-or-later
"""The commands, one file a family."""
