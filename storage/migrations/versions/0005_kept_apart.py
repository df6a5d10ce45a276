# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters that lie in mailboxes outside, who asked about letters, and contacts whose keys were forgotten."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outside",
        sa.Column("letter_id", sa.Integer(), nullable=False),
        sa.Column("mailbox", sa.String(length=64), nullable=False),
        sa.Column("likeness", sa.String(length=64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column(
            "wish",
            sa.Enum("take", "drop", name="wish", native_enum=False, length=24),
            nullable=True,
        ),
        sa.ForeignKeyConstraint(
            ["letter_id"], ["letter.id"], name=op.f("fk_outside_letter_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("letter_id", name=op.f("pk_outside")),
    )
    with op.batch_alter_table("outside", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outside_mailbox"), ["mailbox"], unique=False)

    op.create_table(
        "asked",
        sa.Column("letter_id", sa.Integer(), nullable=False),
        sa.Column("room", sa.Integer(), nullable=False),
        sa.Column("thread", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(
            ["letter_id"], ["letter.id"], name=op.f("fk_asked_letter_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["room"], ["room.id"], name=op.f("fk_asked_room"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("letter_id", name=op.f("pk_asked")),
    )
    op.create_table(
        "known_once",
        sa.Column("contact_tag", sa.String(length=32), nullable=False),
        sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("forgotten_by", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("contact_tag", name=op.f("pk_known_once")),
    )
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.add_column(sa.Column("encryption", sa.String(length=24), nullable=True))


def downgrade() -> None:
    # A table made anew on SQLite would take with it what hangs on its rows.
    op.drop_column("message", "encryption")
    op.drop_table("known_once")
    op.drop_table("asked")
    with op.batch_alter_table("outside", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outside_mailbox"))
    op.drop_table("outside")
