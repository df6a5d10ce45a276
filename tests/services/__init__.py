# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real services on loopback, each in a folder of its own."""
