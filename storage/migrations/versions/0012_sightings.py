# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who has met which problem, in rows that outlive the tickets; those known so far are taken over."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_KNOWN = """
INSERT INTO sighting (problem_id, ticket_id, day, language, version, reporter_tag)
SELECT link.problem_id, ticket.id, {day}, ticket.language, coalesce(ticket.tails_version, ''),
    coalesce(ticket.contact_tag, ticket.whisperback_tag, ticket.reply_tag)
FROM link JOIN ticket ON ticket.id = link.ticket_id
"""
_DAY = {"sqlite": "date(ticket.opened_at)", "postgresql": "(ticket.opened_at AT TIME ZONE 'UTC')::date"}


def upgrade() -> None:
    op.create_table(
        "sighting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("problem_id", sa.Integer(), nullable=False),
        sa.Column("ticket_id", sa.Integer(), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("reporter_tag", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["problem_id"], ["problem.id"], name=op.f("fk_sighting_problem_id")),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_sighting_ticket_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sighting")),
        sa.UniqueConstraint("ticket_id", "problem_id", name=op.f("uq_sighting_ticket_id")),
    )
    op.create_index("ix_sighting_day_problem_id", "sighting", ["day", "problem_id"])
    op.create_index(op.f("ix_sighting_problem_id"), "sighting", ["problem_id"])
    op.create_index(op.f("ix_ticket_opened_at"), "ticket", ["opened_at"])
    op.execute(_KNOWN.format(day=_DAY[op.get_bind().dialect.name]))


def downgrade() -> None:
    op.drop_index(op.f("ix_ticket_opened_at"), table_name="ticket")
    op.drop_table("sighting")
