# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the homeserver has for us."""
