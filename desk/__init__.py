# SPDX-License-Identifier: AGPL-3.0-or-later
"""Decisions of the help desk: tickets, replies, shifts, delivery. Knows neither Matrix nor mail."""
