# SPDX-License-Identifier: AGPL-3.0-or-later
"""Alembic's scripts: how the database came to its present shape."""
