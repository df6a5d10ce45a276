# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who closed a ticket."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ticket", sa.Column("closed_by", sa.String(length=255), nullable=True))


def downgrade() -> None:
    # Made anew, as a batch would do, the table would take along what hangs on it.
    op.drop_column("ticket", "closed_by")
