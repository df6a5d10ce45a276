# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where the words of an encrypted event stand, so that no replay of them counts."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("event", schema=None) as batch:
        batch.add_column(sa.Column("place_tag", sa.String(length=32), nullable=True))
        batch.create_unique_constraint(op.f("uq_event_place_tag"), ["place_tag"])


def downgrade() -> None:
    with op.batch_alter_table("event", schema=None) as batch:
        batch.drop_constraint(op.f("uq_event_place_tag"), type_="unique")
        batch.drop_column("place_tag")
