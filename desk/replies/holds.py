# SPDX-License-Identifier: AGPL-3.0-or-later
"""The time in which an answer that can be seen can still be taken back."""

import datetime as dt

from desk.context import Work
from desk.tickets.details import DraftDetails
from storage.models import Message, ReplyState


def begin_hold(work: Work, draft: Message) -> None:
    """Let the hold begin, as the preview can be seen from now on, and all files are here."""
    details = DraftDetails.load(draft)
    waits = details.fetching > 0 or details.waits_for_word
    if draft.state is ReplyState.HELD and draft.hold_until is None and not waits:
        draft.hold_until = work.world.now() + hold_of(draft)
        work.unit.wake("holds")


def hold_of(draft: Message) -> dt.timedelta:
    """Return how long an answer is held."""
    return dt.timedelta(seconds=DraftDetails.load(draft).hold_seconds)
