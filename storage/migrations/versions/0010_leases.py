# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who has begun a letter, and how often an outbox row has failed, so that a restart forgets neither."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_COUNTERS = ("surprises", "refusals")


def upgrade() -> None:
    op.add_column("letter", sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True))
    for counter in _COUNTERS:
        op.add_column("outbox", sa.Column(counter, sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    # A table made anew on SQLite would take with it what hangs on its rows.
    for counter in _COUNTERS:
        op.drop_column("outbox", counter)
    op.drop_column("letter", "leased_until")
