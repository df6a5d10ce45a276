# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who said what in which thread and what came of it, so that an edit or a removal of it can be heeded."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_CAME = sa.Enum("nothing", "acted", "claimed", "removed", name="came", native_enum=False, length=24)


def upgrade() -> None:
    with op.batch_alter_table("event", schema=None) as batch:
        batch.add_column(sa.Column("sender_tag", sa.String(length=32), nullable=True))
        batch.add_column(sa.Column("thread_root", sa.String(length=255), nullable=True))
        batch.add_column(sa.Column("target", sa.String(length=255), nullable=True))
        batch.add_column(sa.Column("edits", sa.String(length=255), nullable=True))
        batch.add_column(sa.Column("came", _CAME, nullable=True))
    with op.batch_alter_table("message", schema=None) as batch:
        batch.add_column(sa.Column("asked_by", sa.String(length=255), nullable=True))
        batch.create_index(op.f("ix_message_asked_by"), ["asked_by"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_message_asked_by"), table_name="message")
    # A table made anew on SQLite would take with it what hangs on its rows.
    op.drop_column("message", "asked_by")
    for column in ("came", "edits", "target", "thread_root", "sender_tag"):
        op.drop_column("event", column)
