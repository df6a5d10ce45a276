# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rooms on the homeserver."""
