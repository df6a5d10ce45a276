# SPDX-License-Identifier: AGPL-3.0-or-later
"""Carries outbox rows to rooms: what is said, announcements and their edits, reactions, files."""

import contextlib
import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from bot.errors import Rejected, SessionGone, TooFast, TryLater
from bot.sending import contents, hits, rendering
from bot.sending.sender import Sender
from desk.context import Workplace
from desk.duty.pings import PING, responsible
from desk.letters.verdicts import ENCRYPTION_WORDS
from desk.outbox import posts
from desk.outbox.kinds import Kind
from desk.outbox.outcomes import (
    Deferred,
    Delivered,
    Impossible,
    Later,
    Limited,
    OutboxItem,
    Outcome,
    Refused,
    StopDelivery,
)
from desk.outbox.posts import IN_TICKET_THREAD, Say, home_of, is_aside, reaction_of, say_from_json
from desk.replies import previews
from desk.rooms.names import link_to
from desk.search import pages
from desk.tickets import threads
from desk.tickets.announcement import Announcement
from storage.models import Outbox, OutboxState, ReplyState, RoomState, Ticket
from storage.unit import Unit

FORGOTTEN_AFTER = dt.timedelta(hours=12)
"""Homeservers forget transaction ids after about a day: from this age on, look before sending again."""


@dataclass(frozen=True)
class ThreadPlace:
    """Where a row goes on the homeserver."""

    room_id: str
    thread: str | None


Carrier = Callable[[OutboxItem], Awaitable[Outcome]]


def guarded(carry: Carrier) -> Carrier:
    """Turn the homeserver's troubles into outcomes; a lost session stops all delivery."""

    async def deliver(parcel: OutboxItem) -> Outcome:
        try:
            return await carry(parcel)
        except TryLater as trouble:
            after = dt.timedelta(seconds=trouble.after) if trouble.after else None
            return Later(str(trouble), after)
        except _NoThread as trouble:
            return Deferred(str(trouble))
        except Rejected as trouble:
            return Impossible(str(trouble))
        except SessionGone as trouble:
            raise StopDelivery(str(trouble)) from trouble

    return deliver


def paced(carry: Carrier) -> Carrier:
    """Tell a limit on what the bot says from other troubles: it holds for all rooms together."""

    async def deliver(parcel: OutboxItem) -> Outcome:
        try:
            return await carry(parcel)
        except TooFast as trouble:
            return Limited(trouble.after)

    return deliver


class RoomSenders:
    """Says things in rooms."""

    def __init__(self, place: Workplace, sender: Sender) -> None:
        self._place = place
        self._sender = sender

    def table(self) -> Mapping[Kind, Carrier]:
        """Return which kind of row is carried how."""
        kinds: dict[Kind, Carrier] = {
            posts.SAY: self._say,
            PING: self._say,
            previews.PREVIEW: self._say,
            posts.FILE: self._file,
            posts.ANNOUNCE: self._announce,
            posts.ANNOUNCE_EDIT: self._edit,
            previews.EDIT: self._edit_preview,
            posts.REACT: self._react,
            previews.UNREACT: self._unreact,
            pages.PAGE: self._show_page,
            pages.PAGE_EDIT: self._turn_page,
        }
        return {kind: guarded(paced(carry)) for kind, carry in kinds.items()}

    async def post(self, parcel: OutboxItem, content: contents.Json) -> Outcome:
        """Send a content into the thread of the row's ticket."""
        place = await self._place_of(parcel, IN_TICKET_THREAD)
        return await self._send(parcel, place.room_id, _placed(content, place.thread, None))

    async def _say(self, parcel: OutboxItem) -> Outcome:
        say = await self._called(parcel, say_from_json(parcel.payload))
        place = await self._place_of(parcel, say.thread)
        content = _placed(_message(say), place.thread, say.reply_to)
        return await self._send(parcel, place.room_id, content)

    async def _called(self, parcel: OutboxItem, say: Say) -> Say:
        """Name whom it is for, where only their duty was known when it was written."""
        if not say.calls:
            return say
        async with self._place.units() as unit:
            ticket = await unit.tickets.get(parcel.ticket or 0)
        if ticket is None:
            return say
        return replace(say, mentions=responsible(self._place.config, ticket, self._place.world.now()))

    async def _file(self, parcel: OutboxItem) -> Outcome:
        say = say_from_json(parcel.payload)
        if say.file is None:
            return Impossible("there is no file in it")
        place = await self._place_of(parcel, say.thread)
        stored = await self._sender.upload(say.file.name, "text/plain", say.file.text.encode())
        content = _placed(contents.file(stored), place.thread, None)
        return await self._send(parcel, place.room_id, content)

    async def _announce(self, parcel: OutboxItem) -> Outcome:
        place = await self._place_of(parcel, None)
        content = contents.notice(await self._announcement(parcel))
        try:
            return await self._send(parcel, place.room_id, content)
        except Rejected as trouble:
            # All that is said about the ticket hangs on it, so that it is not given up at once.
            return Refused(str(trouble))

    async def _edit(self, parcel: OutboxItem) -> Outcome:
        try:
            place = await self._place_of(parcel, IN_TICKET_THREAD)
        except TryLater as trouble:
            # Others have no need to wait until there is something to edit.
            return Deferred(str(trouble))
        content = contents.notice(await self._announcement(parcel))
        return await self._send(parcel, place.room_id, contents.edit(content, place.thread or ""))

    async def _edit_preview(self, parcel: OutboxItem) -> Outcome:
        async with self._place.units() as unit:
            draft = await unit.messages.get(parcel.message or 0)
            event_id = previews.event_of(draft) if draft is not None else None
            if draft is None or event_id is None:
                return Delivered()
            say, state = previews.say_of(draft), previews.state_of(draft)
        place = await self._place_of(parcel, None)
        # What clients show that know no edits: the text is in the preview itself.
        outer = contents.edit(contents.notice(rendering.plain(state)), event_id)
        content = {**outer, "m.new_content": _message(say, beside=outer)}
        return await self._send(parcel, place.room_id, content)

    async def _react(self, parcel: OutboxItem) -> Outcome:
        event_id, key = reaction_of(parcel.payload)
        place = await self._place_of(parcel, None)
        return Delivered(await self._sender.react(place.room_id, event_id, key, parcel.ref))

    async def _unreact(self, parcel: OutboxItem) -> Outcome:
        """Remove our reactions to a preview; they stood before this in the same lane."""
        async with self._place.units() as unit:
            offered = await unit.outbox.of_message(posts.REACT.name, parcel.message or 0)
            event_ids = [row.event_id for row in offered if row.event_id]
        place = await self._place_of(parcel, None)
        for number, event_id in enumerate(event_ids):
            # Where it cannot be removed, it is in nobody's way: pressing it is answered.
            with contextlib.suppress(Rejected):
                await self._sender.redact(place.room_id, event_id, f"{parcel.ref}.{number}")
        return Delivered()

    async def _show_page(self, parcel: OutboxItem) -> Outcome:
        page = pages.page_of(parcel.payload)
        place = await self._place_of(parcel, page.thread)
        content = _placed(contents.notice(hits.render(page)), place.thread, page.reply_to)
        return await self._send(parcel, place.room_id, content)

    async def _turn_page(self, parcel: OutboxItem) -> Outcome:
        """Edit a page, and take the reaction away, so that it can be pressed again."""
        page = pages.page_of(parcel.payload)
        place = await self._place_of(parcel, None)
        content = contents.edit(contents.notice(hits.render(page)), page.event)
        sent = await self._send(parcel, place.room_id, content)
        with contextlib.suppress(Rejected):
            await self._sender.redact(place.room_id, page.pressed, f"{parcel.ref}.pressed")
        return sent

    async def _send(self, parcel: OutboxItem, room_id: str, content: contents.Json) -> Outcome:
        look_first = parcel.age > FORGOTTEN_AFTER
        return Delivered(await self._sender.send_event(room_id, content, parcel.ref, look_first=look_first))

    async def _place_of(self, parcel: OutboxItem, thread: str | None) -> ThreadPlace:
        async with self._place.units() as unit:
            room = await unit.rooms.get(parcel.room or 0)
            if thread == IN_TICKET_THREAD:
                thread = await _thread_of(unit, parcel)
        if room is None or room.room_id is None:
            raise TryLater("The room has not been made yet.", 1.0)
        if room.state is RoomState.REPLACED:
            raise TryLater("The room was replaced, and the bot is not in the new one yet.", 5.0)
        return ThreadPlace(room.room_id, thread)

    async def _announcement(self, parcel: OutboxItem) -> rendering.Rendered:
        """How the ticket stands or, of one that was announced anew since, where it goes on."""
        async with self._place.units() as unit:
            ticket = await unit.tickets.get(parcel.ticket or 0)
            if ticket is None:
                raise Rejected("The ticket is gone.")
            announcements = await unit.outbox.announcements(ticket.id)
            root = threads.root_of(announcements, parcel.room, parcel.id)
            if root is not None and root is not announcements[-1]:
                link = link_to(await home_of(unit, ticket), ticket.event_id)
                return rendering.moved(ticket.id, ticket.queue, link)
            states = {each.state for each in await unit.messages.of(ticket) if each.author is not None}
        return rendering.announcement(
            facts_of(ticket, sent=ReplyState.SENT in states), self._place.world.now()
        )


class _NoThread(Exception):
    """The announcement stands aside or is parked; all that is said about its ticket waits for it there."""


async def _thread_of(unit: Unit, parcel: OutboxItem) -> str:
    """The root of the thread in which a row stands; raises why there is none yet, or never."""
    ticket = await unit.tickets.get(parcel.ticket or 0)
    if ticket is None:
        raise Rejected("The ticket is gone.")
    root = threads.root_of(await unit.outbox.announcements(ticket.id), parcel.room, parcel.id)
    event_id = root.event_id if root is not None else ticket.event_id
    if event_id is None:
        raise _why_no_thread(root)
    return event_id


def _why_no_thread(announcement: Outbox | None) -> Exception:
    """What to do about a ticket that is not announced: wait here, wait aside, or give up."""
    if announcement is not None:
        if announcement.state is OutboxState.PARKED or is_aside(announcement):
            return _NoThread("The ticket's announcement could not be made yet.")
        if announcement.state is OutboxState.DROPPED:
            return Rejected("The ticket's announcement was given up.")
    return TryLater("The ticket has not been announced yet.", 1.0)


def facts_of(ticket: Ticket, *, sent: bool) -> Announcement:
    """Return what a room may know of a ticket: no address, no word of the letter."""
    tags = ", ".join(tag.name for tag in ticket.tags)
    issues = ", ".join(f"issue {link.problem.issue}" for link in ticket.links)
    topic = " · ".join(part for part in (tags or ticket.kind, issues) if part)
    return Announcement(
        number=ticket.id,
        language=ticket.language,
        state=ticket.state,
        opened_at=ticket.opened_at,
        encryption=ENCRYPTION_WORDS[ticket.encryption],
        topic=topic,
        tails_version=ticket.tails_version or "",
        agent=ticket.owner or "",
        closed_by=ticket.closed_by or "",
        sent=sent,
    )


_LONGEST_TEXT = 4096


def _message(say: Say, *, beside: contents.Json | None = None) -> contents.Json:
    """What is too large for an event is cut until it fits; at the very last the formatted form goes.

    `beside` is what else is to be in the event, around the message as its new content.
    """

    def fits(content: contents.Json) -> bool:
        return contents.fits(content if beside is None else {**beside, "m.new_content": content})

    content = _worded(say)
    longest = _LONGEST_TEXT
    while longest and not fits(content):
        quote = rendering.shorten(say.quote, chars=longest).text
        content = _worded(replace(say, quote=quote, text=say.text[:longest]))
        longest //= 2
    if fits(content):
        return content
    return {name: part for name, part in content.items() if name not in ("format", "formatted_body")}


def _worded(say: Say) -> contents.Json:
    said = rendering.quoting(say.text, say.quote) if say.quote else rendering.plain(say.text)
    if not say.mentions:
        return contents.notice(said)
    return contents.text(rendering.calling(say.mentions, said), mentions=say.mentions)


def _placed(content: contents.Json, thread: str | None, reply_to: str | None) -> contents.Json:
    if thread is not None:
        return contents.in_thread(content, thread, reply_to=reply_to)
    return contents.in_reply(content, reply_to) if reply_to is not None else content
