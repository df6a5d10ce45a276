# SPDX-License-Identifier: AGPL-3.0-or-later
"""How the outbox is worked off."""
