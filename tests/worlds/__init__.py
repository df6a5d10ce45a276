# SPDX-License-Identifier: AGPL-3.0-or-later
"""Desks to test on: on a database; with keys and mail; with real servers and rooms around it."""
