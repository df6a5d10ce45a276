# SPDX-License-Identifier: AGPL-3.0-or-later
"""Homeservers that fail in chosen ways."""
