# SPDX-License-Identifier: AGPL-3.0-or-later
"""Indexes that fit what is asked, so that no question looks at all there ever was."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_NEW = {
    "ix_outbox_lane_state": ("outbox", ["lane", "state"]),
    "ix_outbox_room_state": ("outbox", ["room", "state"]),
    "ix_outbox_room_kind": ("outbox", ["room", "kind"]),
    "ix_message_state_hold_until": ("message", ["state", "hold_until"]),
    "ix_message_author_at": ("message", ["author", "at"]),
    "ix_message_letter_id": ("message", ["letter_id"]),
    "ix_letter_received_at": ("letter", ["received_at"]),
    "ix_ticket_closed_at_queue": ("ticket", ["closed_at", "queue"]),
    "ix_link_problem_id": ("link", ["problem_id"]),
    "ix_room_purpose_state": ("room", ["purpose", "state"]),
    "ix_room_state": ("room", ["state"]),
}
# Beside the new ones SQLite goes on choosing the old ones.
_OLD = {
    "ix_outbox_lane": ("outbox", ["lane"]),
    "ix_outbox_room": ("outbox", ["room"]),
    "ix_ticket_queue": ("ticket", ["queue"]),
}
_FETCHED = "ix_enclosure_fetched"


def upgrade() -> None:
    for name, (table, columns) in _NEW.items():
        op.create_index(name, table, columns)
    condition = sa.text("size IS NULL")
    op.create_index(_FETCHED, "enclosure", ["id"], sqlite_where=condition, postgresql_where=condition)
    for name, (table, _) in _OLD.items():
        op.drop_index(name, table_name=table)


def downgrade() -> None:
    op.drop_index(_FETCHED, table_name="enclosure")
    for name, (table, columns) in _OLD.items():
        op.create_index(name, table, columns)
    for name, (table, _) in _NEW.items():
        op.drop_index(name, table_name=table)
