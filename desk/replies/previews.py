# SPDX-License-Identifier: AGPL-3.0-or-later
"""The preview of an answer: one message in the thread, edited as the answer goes its way."""

from desk.context import Work
from desk.duty.pings import call
from desk.outbox.kinds import Kind
from desk.outbox.posts import (
    CANCEL_KEY,
    IN_TICKET_THREAD,
    REACT,
    Say,
    finish,
    home_of,
    lane_of,
    put,
    react,
    say_to_json,
)
from desk.outbox.ranks import Rank
from desk.replies.files import is_fetching
from desk.replies.holds import begin_hold
from desk.tickets.details import DraftDetails
from desk.tickets.excerpts import head_of
from desk.tickets.locks import locked
from storage.models import OPEN_REPLY, Message, Outbox, OutboxState, ReplyState, Room


async def show(work: Work, draft: Message, facts: str) -> None:
    """Show what is going to leave; `facts` say to whom, from whom and how protected, a line each."""
    room = await home_of(work.unit, draft.ticket)
    DraftDetails.change(draft, facts=facts, room=room.id)
    payload = say_to_json(say_of(draft))
    lane = lane_of(room, Rank.ANSWER)
    await put(work, PREVIEW, lane, payload, room=room.id, ticket=draft.ticket_id, message=draft.id)


def was_shown(draft: Message, event_id: str) -> None:
    """Remember the event that shows the preview, to be edited from now on."""
    DraftDetails.change(draft, event=event_id)


async def offer_button(work: Work, row: Outbox, key: str) -> None:
    """React to a preview that has just been shown, so that people can press the same."""
    room = await work.unit.rooms.get(row.room or 0)
    if room is not None and row.event_id is not None:
        await react(work, room, row.event_id, key, rank=Rank.EDIT, draft=row.message_id)


async def show_state(work: Work, draft: Message, *, why: str = "") -> None:
    """Edit the preview, so that it shows how the answer stands; `why` says who or what made it so."""
    room = await work.unit.rooms.get(DraftDetails.load(draft).room)
    if room is None:
        return
    DraftDetails.change(draft, why=why)
    # One edit that waits is enough.
    for row in await work.unit.outbox.pending(EDIT.name, message=draft.id):
        finish(work.world, row, OutboxState.DROPPED)
    if draft.state not in OPEN_REPLY:
        await _take_buttons_away(work, draft, room)
    lane = lane_of(room, Rank.ANSWER)
    await put(work, EDIT, lane, room=room.id, ticket=draft.ticket_id, message=draft.id)


async def _take_buttons_away(work: Work, draft: Message, room: Room) -> None:
    """Let nobody press what does nothing any more; one that leaves at this moment is found then."""
    offered = await work.unit.outbox.of_message(REACT.name, draft.id)
    for row in offered:
        if row.state is OutboxState.PENDING:
            finish(work.world, row, OutboxState.DROPPED)
    if offered and not await work.unit.outbox.of_message(UNREACT.name, draft.id):
        await put(work, UNREACT, lane_of(room, Rank.EDIT), room=room.id, message=draft.id)


def event_of(draft: Message) -> str | None:
    """Return the event that shows the preview; None when it has not arrived."""
    return DraftDetails.load(draft).event or None


def waits_for_word(draft: Message) -> bool:
    """Tell whether the hold alone does not send it, as the ticket was another agent's."""
    return DraftDetails.load(draft).waits_for_word


def say_of(draft: Message) -> Say:
    """Return the preview as it has to look now: its state in the first line, then facts and text."""
    details = DraftDetails.load(draft)
    text = "\n".join((state_of(draft), details.facts, *_files(details)))
    head = head_of(draft.text or "", "", lines=None)
    return Say(text, quote=head.words, thread=IN_TICKET_THREAD)


def state_of(draft: Message) -> str:
    """Return how the answer stands, in a line."""
    if draft.state is ReplyState.HELD and is_fetching(draft):
        return "Waiting for a file: this does not leave before it is here. ❌ or `!cancel` takes it back."
    if draft.state is ReplyState.HELD and waits_for_word(draft):
        return "Waits for your word: `!send` or ✅ sends it, ❌ or `!cancel` takes it back."
    if draft.state is ReplyState.HELD:
        return f"{_held(draft)} ✅ or `!send` sends it now, ❌ or `!cancel` takes it back."
    why = DraftDetails.load(draft).why
    if draft.state is ReplyState.SENT:
        return f"Left at {draft.at:%Y-%m-%d %H:%M:%S} UTC."
    return f"{_WORDS.get(draft.state, '')}{f': {why}' if why else ''}".rstrip(".") + "."


def _files(details: DraftDetails) -> list[str]:
    if not details.files:
        return []
    how = "encrypted with the mail" if details.encrypted else "in clear, as the mail does"
    return [f"Files: they leave {how}, as they are", *(f"- {line}" for line in details.files)]


def _held(draft: Message) -> str:
    if draft.hold_until is not None:
        return f"Waiting: this leaves at {draft.hold_until:%Y-%m-%d %H:%M:%S} UTC."
    return f"This is going to leave in {int(DraftDetails.load(draft).hold_seconds)} s."


_WORDS: dict[ReplyState | None, str] = {
    ReplyState.STALE: "Not sent, and waits for `!send` or `!cancel`",
    ReplyState.LEAVING: "On its way: it cannot be taken back any more",
    ReplyState.SENDING: "On its way: it cannot be taken back any more",
    ReplyState.FAILED: "NOT sent, refused",
    ReplyState.BOUNCED: "Left, but came back",
    ReplyState.UNCLEAR: "UNCLEAR whether it has left",
    ReplyState.CANCELLED: "Cancelled: it will not be sent",
}


async def _previewed(work: Work, row: Outbox) -> None:
    draft = await locked(work.unit, row.message_id or 0)
    if draft is None:
        return
    was_shown(draft, row.event_id or "")
    begin_hold(work, draft)
    if draft.state is ReplyState.HELD:
        await offer_button(work, row, CANCEL_KEY)


async def _edited(work: Work, row: Outbox) -> None:
    """A hold that was stopped, as files came or went, begins anew once the preview shows them."""
    draft = await locked(work.unit, row.message_id or 0)
    if draft is None or draft.hold_until is not None or event_of(draft) is None:
        return
    begin_hold(work, draft)


async def _not_shown(work: Work, row: Outbox) -> bool:
    """Let an answer that nobody could see wait for a word; the operators hear of it too."""
    draft = await locked(work.unit, row.message_id or 0)
    if draft is None or draft.state is not ReplyState.HELD or draft.hold_until is not None:
        return False
    draft.state = ReplyState.STALE
    words = f"Not sent: the preview of the answer could not be shown ({row.error}). `!send` or `!cancel` it."
    await call(work, draft.ticket, words, rank=Rank.ANSWER)
    return False


PREVIEW = Kind("preview", is_said=True, sent=_previewed, failed=_not_shown)
EDIT = Kind("preview.edit", sent=_edited, failed=_not_shown)
UNREACT = Kind("unreact")
"""What takes away what was offered to be pressed."""
