# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an edit or a removal of something said does: the old words must not have their way."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from bot.desk.journal import EventJournal
from bot.desk.worker import HINT_AFTER, Worker
from bot.events.events import Batch, Undecryptable
from commands.event import EventKind, RoomEvent
from desk.outbox.posts import DONE_KEY, Say, reaction_of, say_from_json
from desk.replies import drafts as replies
from storage.models import EventState, OutboxState, OutgoingFile, ReplyState
from storage.sealing.vault import TagKind
from tests.worlds.desk import ANA, BEN, Desk, delivered

BOT = "@bot:helproom.test"
ROOM = "!en:helproom.test"


@dataclass
class Room:
    """The room of a queue, in which people say things and the bot obeys, with a ticket's thread."""

    desk: Desk
    _ids: count = field(default_factory=count)

    async def hears(self, body: str, *, thread: str | None = "$root1", **facts: Any) -> str:
        """Let somebody say something, and the bot act; return the event."""
        usual = {
            "kind": EventKind.MESSAGE,
            "msgtype": "m.text",
            "sender": ANA,
            "room_id": ROOM,
            "verified": True,
        }
        event_id = f"${next(self._ids)}"
        if "edits" in facts:
            thread = None
        told = {"event_id": event_id, "sent_at": self.desk.clock.now, "body": body, "thread_root": thread}
        await self.keep(Batch("s", heard=(RoomEvent(**{**usual, **told, "decrypted": True, **facts}),)))
        return event_id

    async def removes(self, event_id: str, **facts: Any) -> None:
        """Let somebody remove a message, and the bot act."""
        removal = {"kind": EventKind.REDACTION, "relates_to": event_id, "msgtype": "", "decrypted": False}
        await self.hears("", thread=None, **{**removal, **facts})

    async def keep(self, batch: Batch) -> None:
        """Journal something and act on it."""
        await EventJournal(self.desk.place, own_id=BOT).keep(batch)
        while await Worker(self.desk.place, only_verified=True).step():
            pass

    async def answers(self) -> list[Say]:
        """Return what the bot has said since it was asked for the last time."""
        async with self.desk.units() as unit:
            rows = await unit.outbox.in_state(OutboxState.PENDING)
            found = [say_from_json(row.payload or "") for row in rows if row.kind == "say"]
            for row in rows:
                if row.kind == "say":
                    row.state = OutboxState.SENT
        return found

    async def drafts(self) -> list[tuple[str, ReplyState | None]]:
        """Return the answers that were written, and how they stand."""
        found = await self.desk.messages(1)
        return [((each.text or "").split("\n")[0], each.state) for each in found if each.author is not None]


@pytest.fixture
async def room(desk: Desk) -> Room:
    await desk.ticket()
    return Room(desk)


HELD, CANCELLED = ReplyState.HELD, ReplyState.CANCELLED


async def test_an_edit_makes_the_preview_anew_each_time_and_keeps_the_files(room: Room) -> None:
    async with room.desk.units() as unit:
        ticket = await unit.tickets.get(1)
        assert ticket is not None
        kept = OutgoingFile(
            ref="x", ticket=ticket, event_id="$f", asked_at=room.desk.clock.now, size=1, name="a"
        )
        await unit.enclosures.add(kept)
    asked = await room.hears("!reply One.")
    await room.hears("!reply Two.", edits=asked)
    await room.hears("!reply Three.", edits=asked)
    assert await room.drafts() == [("One.", CANCELLED), ("Two.", CANCELLED), ("Three.", HELD)]
    assert len(await room.desk.rows("preview")) == 3
    async with room.desk.units() as unit:
        assert [each.message_id for each in await unit.enclosures.by_event("$f")] == [4]


@pytest.mark.parametrize("words", ["!reply --what", "!rpely Two.", "never mind"])
async def test_the_old_words_do_not_leave_when_the_new_ones_are_refused(room: Room, words: str) -> None:
    asked = await room.hears("!reply One.")
    await room.hears(words, edits=asked)
    assert await room.drafts() == [("One.", CANCELLED)]
    (answer,) = await room.answers()
    assert "will not be sent" in answer.text
    assert (answer.thread, answer.reply_to) == ("$root1", asked)
    await room.hears("!reply Two.", edits=asked)
    assert (await room.drafts())[1:] == [("Two.", HELD)]


async def test_the_removal_of_the_command_takes_the_answer_back(room: Room) -> None:
    asked = await room.hears("!reply One.")
    edit = await room.hears("!reply Two.", edits=asked)
    await room.removes(edit)
    assert [state for _, state in await room.drafts()] == [CANCELLED, CANCELLED]
    (answer,) = await room.answers()
    assert "Cancelled" in answer.text
    await room.removes(asked)
    await room.hears("!reply Three.", edits=asked)
    assert len(await room.drafts()) == 2
    assert await room.answers() == []


@pytest.mark.parametrize(
    ("state", "told"), [(ReplyState.SENT, "has left"), (ReplyState.LEAVING, "on its way")]
)
async def test_after_it_left_it_is_too_late(room: Room, state: ReplyState, told: str) -> None:
    asked = await room.hears("!reply One.")
    async with room.desk.units() as unit:
        draft = await unit.messages.get(2)
        assert draft is not None
        draft.state = state
    await room.hears("!reply Two.", edits=asked)
    await room.removes(asked)
    assert await room.drafts() == [("One.", state)]
    edited, removed = await room.answers()
    assert told in edited.text
    assert "edit changes nothing" in edited.text
    assert "too late" in removed.text


@pytest.mark.parametrize(
    "facts",
    [{"sender": BEN}, {"room_id": "!fr:helproom.test"}, {"verified": False}, {"decrypted": False}],
    ids=["somebody else", "another room", "unverified", "in clear"],
)
async def test_nobody_else_edits_a_command(room: Room, facts: dict[str, Any]) -> None:
    asked = await room.hears("!reply One.")
    await room.hears("!reply Two.", edits=asked, **facts)
    assert await room.drafts() == [("One.", HELD)]


async def test_what_others_remove_is_told_and_stays_held(room: Room) -> None:
    asked = await room.hears("!reply One.")
    await room.removes(asked, sender=BEN)
    assert await room.drafts() == [("One.", HELD)]
    (answer,) = await room.answers()
    assert "still held" in answer.text


@pytest.mark.parametrize("before", ["!calim", "!claim 77", "claim", "!claim now please"])
async def test_an_edit_of_what_did_nothing_is_obeyed_once(room: Room, before: str) -> None:
    said = await room.hears(before)
    await room.answers()
    await room.hears("!claim", edits=said)
    assert (await room.desk.look(1)).owner == ANA
    (row,) = await room.desk.rows("react")
    assert reaction_of(row.payload or "") == (said, DONE_KEY)
    await room.hears("!close", edits=said)
    (answer,) = await room.answers()
    assert "acted on the words as they were" in answer.text
    assert (await room.desk.look(1)).closed_at is None


async def test_the_same_edit_heard_again_does_nothing(room: Room) -> None:
    said = await room.hears("!nto x")
    place = {"edits": said, "event_id": "$edit", "place": "session 7"}
    await room.hears("!note x", **place)
    await room.hears("!note x", **place)
    await room.hears("!note x", **{**place, "event_id": "$replayed"})
    assert len(await room.desk.messages(1)) == 2


async def test_an_edit_of_what_was_never_heard_is_answered(room: Room) -> None:
    await room.hears("!claim", edits="$long ago")
    (answer,) = await room.answers()
    assert "not heard" in answer.text


async def test_no_word_is_kept_of_what_is_edited_or_of_talk(room: Room) -> None:
    said = await room.hears("hello")
    await room.hears("hello there", edits=said)
    async with room.desk.units() as unit:
        event = await unit.journal.by_event(said)
        assert event is not None
        assert (event.content, event.sender, event.state) == (None, None, EventState.DONE)
        assert event.sender_tag == room.desk.units.vault.tag(TagKind.SENDER, ANA)


async def test_words_that_could_not_be_read_do_nothing_after_their_edit(room: Room) -> None:
    closed = Undecryptable("$closed", ROOM, ANA, "session", room.desk.clock.now, thread_root="$root1")
    await room.keep(Batch("s", undecryptable=(closed,)))
    await room.hears("!reply Two.", edits="$closed")
    await room.hears("!reply One.", event_id="$closed")
    assert await room.drafts() == [("Two.", HELD)]


async def end_hold(room: Room) -> None:
    """Show the preview of the held answer, and let its hold end."""
    async with room.desk.units() as unit:
        for row in await unit.outbox.in_state(OutboxState.PENDING):
            if row.kind == "preview":
                row.state = OutboxState.SENT
                await delivered(room.desk.work(unit), row)
        due = await unit.messages.next_hold()
        assert due is not None
        room.desk.clock.now = due
        for message_id in await unit.messages.due_replies(due):
            await replies.end_hold(room.desk.work(unit), message_id)


@pytest.mark.parametrize("event_id", ["$closed", "$again"])
async def test_an_answer_stays_whose_edit_cannot_be_read(room: Room, event_id: str) -> None:
    """Until its key comes or, after that was asked for, until it is edited once more."""
    asked = await room.hears("!reply One.")
    closed = Undecryptable("$closed", ROOM, ANA, "session", room.desk.clock.now, edits=asked)
    await room.keep(Batch("s", undecryptable=(closed,)))
    if event_id == "$again":
        room.desk.clock.now += HINT_AFTER
        await Worker(room.desk.place).hint_undecryptable()
        await room.answers()
    await end_hold(room)
    assert await room.drafts() == [("One.", ReplyState.STALE)]
    (answer,) = await room.answers()
    assert "I cannot read the new words" in answer.text
    await room.hears("!reply Two.", event_id=event_id, edits=asked)
    await end_hold(room)
    assert await room.drafts() == [("One.", CANCELLED), ("Two.", ReplyState.LEAVING)]


async def test_an_unreadable_edit_counts_no_more_after_a_newer_one(room: Room) -> None:
    asked = await room.hears("!reply One.")
    closed = Undecryptable("$closed", ROOM, ANA, "session", room.desk.clock.now, edits=asked)
    await room.keep(Batch("s", undecryptable=(closed,)))
    await room.hears("!reply Two.", edits=asked)
    await end_hold(room)
    assert await room.drafts() == [("One.", CANCELLED), ("Two.", ReplyState.LEAVING)]


async def test_somebody_elses_unreadable_edit_holds_nothing_back(room: Room) -> None:
    asked = await room.hears("!reply One.")
    closed = Undecryptable("$closed", ROOM, BEN, "session", room.desk.clock.now, edits=asked)
    await room.keep(Batch("s", undecryptable=(closed,)))
    await end_hold(room)
    assert await room.drafts() == [("One.", ReplyState.LEAVING)]


async def test_taking_eyes_away_releases_what_they_claimed(room: Room) -> None:
    eyes = {
        "kind": EventKind.REACTION,
        "msgtype": "",
        "key": "👀",
        "relates_to": "$root1",
        "decrypted": False,
    }
    pressed = await room.hears("", thread=None, **eyes)
    assert (await room.desk.look(1)).owner == ANA
    await room.removes(pressed, sender=BEN)
    assert (await room.desk.look(1)).owner == ANA
    await room.removes(pressed)
    assert (await room.desk.look(1)).owner is None
    await room.hears("!claim")
    await room.removes(pressed)
    assert (await room.desk.look(1)).owner == ANA


async def test_a_reply_to_any_message_of_the_thread_counts_as_in_it(room: Room) -> None:
    talk = await room.hears("look at this", sender=BEN)
    await room.hears("!nonsense")
    async with room.desk.units() as unit:
        (row,) = [each for each in await unit.outbox.in_state(OutboxState.PENDING) if each.kind == "say"]
        row.event_id = "$refusal"
    plain = await room.hears("I see", thread=None, relates_to=talk)
    for target, words in ((plain, "!claim"), ("$refusal", "!note x"), (talk, "!release")):
        await room.answers()
        command = await room.hears(words, thread=None, relates_to=target)
        for answer in await room.answers():
            assert (answer.thread, answer.reply_to) == (None, command)
    assert (await room.desk.look(1)).owner is None
    assert len(await room.desk.messages(1)) == 2


async def test_a_caption_is_obeyed_and_its_file_attached(room: Room) -> None:
    file = await room.hears("!reply See this.", msgtype="m.image", is_file=True)
    await room.hears("!reply See that.", edits=file, msgtype="m.image", is_file=True)
    async with room.desk.units() as unit:
        assert [each.message_id for each in await unit.enclosures.by_event(file)] == [3]
    await room.hears("!attach", msgtype="m.file", is_file=True, event_id="$other")
    async with room.desk.units() as unit:
        assert [each.message_id for each in await unit.enclosures.by_event("$other")] == [3]
