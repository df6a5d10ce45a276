# SPDX-License-Identifier: AGPL-3.0-or-later
"""How commands are declared, read and explained."""
