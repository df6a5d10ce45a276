# SPDX-License-Identifier: AGPL-3.0-or-later
"""Run by Alembic with the connection that `storage.migrating` hands over."""

from typing import Any, Literal

from alembic import context

from storage.models import Base, Instant


def _render(kind: str, item: Any, _context: object) -> str | Literal[False]:
    """A migration must not change when a type of ours does: write what the database sees."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, Instant) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,
    render_item=_render,
)
with context.begin_transaction():
    context.run_migrations()
