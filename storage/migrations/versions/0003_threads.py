# SPDX-License-Identifier: AGPL-3.0-or-later
"""What letters are known by: their sender, what copies of them share, and marks of tickets."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("letter", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sender_tag", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("same_tag", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("begun_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("released_by", sa.String(length=255), nullable=True))
        batch_op.create_index(batch_op.f("ix_letter_begun_at"), ["begun_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_letter_same_tag"), ["same_tag"], unique=False)
        batch_op.create_index(batch_op.f("ix_letter_sender_tag"), ["sender_tag"], unique=False)

    op.create_table(
        "mark",
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("tag", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_mark_ticket_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ticket_id", "tag", name=op.f("pk_mark")),
    )
    with op.batch_alter_table("mark", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mark_tag"), ["tag"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("mark", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_mark_tag"))

    op.drop_table("mark")
    with op.batch_alter_table("letter", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_letter_sender_tag"))
        batch_op.drop_index(batch_op.f("ix_letter_same_tag"))
        batch_op.drop_index(batch_op.f("ix_letter_begun_at"))
    # A table made anew on SQLite would take with it what hangs on its rows.
    for column in ("released_by", "begun_at", "same_tag", "sender_tag"):
        op.drop_column("letter", column)
