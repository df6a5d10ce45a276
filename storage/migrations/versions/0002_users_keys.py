# SPDX-License-Identifier: AGPL-3.0-or-later
"""The keys of users."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contact_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("contact_tag", sa.String(length=32), nullable=False),
        sa.Column("fingerprint_tag", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=24), nullable=False),
        sa.Column("ticket_id", sa.Integer(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "none",
                "seen",
                "pinned",
                "changed",
                "refused",
                "replaced",
                "expired",
                "revoked",
                "unusable",
                name="keystate",
                native_enum=False,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "problem",
            sa.Enum(
                "none",
                "seen",
                "pinned",
                "changed",
                "refused",
                "replaced",
                "expired",
                "revoked",
                "unusable",
                name="keystate",
                native_enum=False,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column("prefers_encryption", sa.Boolean(), nullable=False),
        sa.Column("letters", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(length=255), nullable=True),
        sa.Column("expires_at_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("armor_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("fingerprint_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("about_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("ref", sa.String(length=64), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["ticket_id"],
            ["ticket.id"],
            name=op.f("fk_contact_key_ticket_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_key")),
        sa.UniqueConstraint("contact_tag", "fingerprint_tag", name=op.f("uq_contact_key_contact_tag")),
        sa.UniqueConstraint("ref", name=op.f("uq_contact_key_ref")),
    )
    with op.batch_alter_table("contact_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_contact_key_contact_tag"), ["contact_tag"], unique=False)
        batch_op.create_index(batch_op.f("ix_contact_key_ticket_id"), ["ticket_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("contact_key", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_contact_key_ticket_id"))
        batch_op.drop_index(batch_op.f("ix_contact_key_contact_tag"))

    op.drop_table("contact_key")
