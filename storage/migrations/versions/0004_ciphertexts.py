# SPDX-License-Identifier: AGPL-3.0-or-later
"""The ciphertexts that were opened."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ciphertext",
        sa.Column("tag", sa.String(length=32), nullable=False),
        sa.Column("letter_id", sa.Integer(), nullable=True),
        sa.Column("contact_tag", sa.String(length=32), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["letter_id"],
            ["letter.id"],
            name=op.f("fk_ciphertext_letter_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("tag", name=op.f("pk_ciphertext")),
    )


def downgrade() -> None:
    op.drop_table("ciphertext")
