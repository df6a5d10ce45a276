# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tickets, their threads and how they are shown."""
