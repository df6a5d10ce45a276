# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which tickets a transaction has changed, so that they can be read anew once it is committed."""

from collections.abc import Iterator

from sqlalchemy import event
from sqlalchemy.orm import Session, UOWTransaction

from storage.models import Link, Message, Tag, Ticket

_CHANGED = "changed tickets"


class WatchedSession(Session):
    """A session that remembers the tickets it has flushed changes of."""


@event.listens_for(WatchedSession, "after_flush")
def _note(session: WatchedSession, _flush: UOWTransaction) -> None:
    for each in (*session.new, *session.dirty, *session.deleted):
        for number in _tickets_of(each):
            changed = session.info.setdefault(_CHANGED, set())
            changed.add(number)


def _tickets_of(row: object) -> Iterator[int]:
    if isinstance(row, Ticket):
        yield row.id
    elif isinstance(row, Message | Tag | Link) and row.ticket_id is not None:
        yield row.ticket_id


def changed_tickets(session: Session) -> frozenset[int]:
    """Return the tickets that this session has changed."""
    return frozenset(session.info.get(_CHANGED, ()))
