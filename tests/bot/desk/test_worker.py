# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the worker makes of events that it must not, or cannot, act on."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from bot.desk.journal import EventJournal
from bot.desk.worker import HINT_AFTER, Worker
from bot.events.events import Batch, Undecryptable
from commands.event import EventKind, RoomEvent
from desk.outbox.posts import CANCEL_KEY, CLAIM_KEY, SEND_KEY, Say, announce, finish, say_from_json, say_in
from storage.models import Event, EventState, OutboxState, OutgoingFile, RoomState
from storage.sealing.vault import TagKind
from tests.worlds.desk import ANA, BEN, EVE, Desk

BOT = "@bot:helproom.test"


async def room_of(desk: Desk) -> str:
    async with desk.units() as unit:
        room = await unit.rooms.of_queue("en")
        assert room is not None
        assert room.room_id is not None
        return room.room_id


async def hear(
    desk: Desk, *, verified: bool, kind: EventKind = EventKind.MESSAGE, recovered: bool = False, **facts: Any
) -> None:
    usual = {
        "sent_at": desk.clock.now,
        "body": "!list all",
        "msgtype": "m.text",
        "key": "👀",
        "relates_to": "$unknown",
    }
    here = {"event_id": "$said", "room_id": await room_of(desk), "sender": ANA, "kind": kind}
    heard = RoomEvent(**{**here, **usual, "decrypted": True, "verified": verified, **facts})
    batch = Batch("s1", heard=(heard,), recovered=recovered)
    await EventJournal(desk.place, own_id=BOT).keep(batch)


async def said(desk: Desk) -> list[str]:
    async with desk.units() as unit:
        rows = await unit.outbox.in_state(OutboxState.PENDING)
        return [say_from_json(row.payload or "").text for row in rows if row.kind == "say"]


async def mentioned(desk: Desk) -> list[str]:
    async with desk.units() as unit:
        rows = await unit.outbox.in_state(OutboxState.PENDING)
        says = [say_from_json(row.payload or "") for row in rows if row.kind == "say"]
        return [person for say in says for person in say.mentions]


async def state_of(desk: Desk) -> EventState:
    async with desk.units() as unit:
        event = await unit.journal.get(1)
        assert event is not None
        return event.state


@pytest.mark.parametrize(("verified", "refused"), [(True, False), (False, True)])
async def test_commands_of_unverified_devices_are_refused(
    desk: Desk, *, verified: bool, refused: bool
) -> None:
    await hear(desk, verified=verified)
    await Worker(desk.place, only_verified=True).step()
    (answer,) = await said(desk)
    assert ("not verified" in answer) is refused
    assert await mentioned(desk) == ([ANA] if refused else [])
    assert await state_of(desk) is EventState.DONE


async def test_under_the_lax_policy_they_are_acted_on(desk: Desk) -> None:
    await hear(desk, verified=False)
    await Worker(desk.place).step()
    (answer,) = await said(desk)
    assert "not verified" not in answer


@pytest.mark.parametrize(
    ("sender", "body", "key", "is_obeyed"),
    [
        (EVE, "!claim 1", "", False),
        (EVE, "!nonsense", "", False),
        (EVE, "!help", "", False),
        (EVE, "", CLAIM_KEY, False),
        (EVE, "", CANCEL_KEY, False),
        (EVE, "", SEND_KEY, False),
        (ANA, "!claim 1", "", True),
        (ANA, "", CLAIM_KEY, True),
    ],
)
async def test_nobody_but_agents_is_obeyed_or_answered(
    desk: Desk, sender: str, body: str, key: str, *, is_obeyed: bool
) -> None:
    await desk.ticket()
    await desk.say("!reply Hello", ticket=1, by=BEN)
    async with desk.units() as unit:
        (preview,) = [row for row in await unit.outbox.in_state(OutboxState.PENDING) if row.kind == "preview"]
        preview.event_id = "$preview"
    before = len(await desk.rows())
    kind = EventKind.REACTION if key else EventKind.MESSAGE
    target = "$preview" if key in (CANCEL_KEY, SEND_KEY) else "$root1"
    await hear(desk, verified=True, kind=kind, sender=sender, body=body, key=key, relates_to=target)
    assert await Worker(desk.place).step()
    assert (len(await desk.rows()) > before) is is_obeyed
    async with desk.units() as unit:
        ticket = await unit.tickets.get(1)
        assert ticket is not None
        assert await unit.messages.open_reply(ticket) is not None, "the answer is held as before"


async def test_guests_of_a_disposable_room_are_not_obeyed(desk: Desk) -> None:
    await desk.ticket()
    await desk.say("!room open 12h", ticket=1)
    async with desk.units() as unit:
        room = await unit.rooms.of_ticket(1)
        assert room is not None
        room.room_id, room.state = "!secret:helproom.test", RoomState.OPEN
    await hear(desk, verified=True, sender=EVE, body="!room close", room_id="!secret:helproom.test")
    assert await Worker(desk.place).step()
    async with desk.units() as unit:
        room = await unit.rooms.of_ticket(1)
        assert room is not None
        assert room.state is not RoomState.CLOSING


async def test_reactions_cannot_be_verified_and_are_not_refused(desk: Desk) -> None:
    await hear(desk, verified=False, kind=EventKind.REACTION)
    await Worker(desk.place, only_verified=True).step()
    assert not any("not verified" in text for text in await said(desk))
    assert await state_of(desk) is EventState.DONE


async def test_an_event_that_cannot_even_be_answered_is_put_aside(desk: Desk) -> None:
    await hear(desk, verified=True)
    async with desk.units() as unit:
        event = await unit.journal.get(1)
        assert event is not None
        event.content = "no JSON"
    worker = Worker(desk.place)
    assert await worker.step()
    assert await state_of(desk) is EventState.FAILED
    assert not await worker.step()


async def test_what_was_asked_for_again_does_not_run_when_its_key_comes_late(desk: Desk) -> None:
    room_id = await room_of(desk)
    closed = Undecryptable("$said", room_id, ANA, "session", desk.clock.now)
    await EventJournal(desk.place, own_id=BOT).keep(Batch("s1", undecryptable=(closed,)))
    desk.clock.pass_by(seconds=HINT_AFTER / dt.timedelta(seconds=1) + 1)
    worker = Worker(desk.place)
    await worker.hint_undecryptable()
    assert await mentioned(desk) == [ANA]
    await hear(desk, verified=True)
    assert await state_of(desk) is EventState.HINTED
    assert not await worker.step()


async def test_a_gap_is_told_once_in_its_room(desk: Desk) -> None:
    journal = EventJournal(desk.place, own_id=BOT)
    await journal.keep(Batch("s1", gaps=(await room_of(desk), "!elsewhere:helproom.test")))
    await journal.keep(Batch("s2"))
    assert len([text for text in await said(desk) if "away for long" in text]) == 1


@pytest.mark.parametrize("msgtype", ["m.file", "m.image", "m.emote", "m.notice", ""])
async def test_only_plain_messages_command(desk: Desk, msgtype: str) -> None:
    await hear(desk, verified=True, msgtype=msgtype)
    assert not await Worker(desk.place).step()
    assert await said(desk) == []


@pytest.mark.parametrize("key", ["👀", "👀\ufe0f", "👀\ufe0e", "👀🏽"])
async def test_eyes_claim_however_a_client_wants_them_drawn(desk: Desk, key: str) -> None:
    number = await desk.ticket()
    await hear(desk, verified=True, kind=EventKind.REACTION, key=key, relates_to=f"$root{number}")
    assert await Worker(desk.place).step()
    assert (await desk.look(number)).owner == ANA


async def test_a_reply_to_the_announcement_is_about_its_ticket(desk: Desk) -> None:
    number = await desk.ticket()
    await hear(desk, verified=True, body="!claim", relates_to=f"$root{number}")
    await Worker(desk.place).step()
    assert (await desk.look(number)).owner == ANA


async def test_a_pill_says_whom_it_means(desk: Desk) -> None:
    number = await desk.ticket()
    await hear(desk, verified=True, body="!assign Ben the Brave", thread_root=f"$root{number}", pills=(BEN,))
    await Worker(desk.place).step()
    assert (await desk.look(number)).owner == BEN


async def test_a_command_behind_an_invisible_character_is_heard(desk: Desk) -> None:
    await hear(desk, verified=True, body="\ufeff!list all")
    assert await Worker(desk.place).step()
    assert len(await said(desk)) == 1


@pytest.mark.parametrize(
    ("minutes", "recovered", "refused"), [(9, True, False), (11, True, True), (11, False, False)]
)
async def test_an_old_command_that_was_found_without_token_is_asked_for_again(
    desk: Desk, *, minutes: int, recovered: bool, refused: bool
) -> None:
    then = desk.clock.now - dt.timedelta(minutes=minutes)
    await hear(desk, verified=True, recovered=recovered, sent_at=then)
    await Worker(desk.place).step()
    (answer,) = await said(desk)
    assert ("please do it again" in answer) is refused


async def test_a_gap_after_a_lost_token_is_told_to_the_operators_too(desk: Desk) -> None:
    journal = EventJournal(desk.place, own_id=BOT)
    await journal.keep(Batch("s1", gaps=(await room_of(desk),), recovered=True))
    told = await said(desk)
    assert ["away for long" in told[0], "go back far enough in one room" in told[1]] == [True, True]


async def attach_a_file(desk: Desk) -> None:
    """Let a file be kept that the event $file brought into ticket 1."""
    async with desk.units() as unit:
        ticket = await unit.tickets.get(1)
        assert ticket is not None
        kept = OutgoingFile(ref="x", ticket=ticket, event_id="$file", asked_at=desk.clock.now, size=1)
        await unit.enclosures.add(kept)


async def test_a_file_whose_message_an_agent_removes_is_taken_away(desk: Desk) -> None:
    await desk.ticket()
    await attach_a_file(desk)
    for target in ("$other", "$file"):
        await hear(desk, verified=False, kind=EventKind.REDACTION, relates_to=target, key="")
        await Worker(desk.place, only_verified=True).step()
        async with desk.units() as unit:
            assert (await unit.enclosures.get(1) is None) is (target == "$file")
    assert await said(desk) == ["NOT attached: its message was removed from the room."]


async def test_what_is_removed_waits_for_no_announcement(desk: Desk) -> None:
    await desk.ticket()
    await attach_a_file(desk)
    async with desk.units() as unit:
        ticket = await unit.tickets.get(1)
        assert ticket is not None
        await announce(desk.work(unit), ticket)
    await hear(desk, verified=False, kind=EventKind.REDACTION, relates_to="$file", key="")
    assert await Worker(desk.place).step()
    async with desk.units() as unit:
        assert await unit.enclosures.get(1) is None


@pytest.mark.parametrize(
    ("target", "waits"), [("$said-by-us", False), ("$talk", False), ("$answer", True), ("$unknown", True)]
)
async def test_only_what_may_hang_on_an_unknown_announcement_waits_for_it(
    desk: Desk, target: str, *, waits: bool
) -> None:
    await desk.ticket()
    async with desk.units() as unit:
        ticket, room = await unit.tickets.get(1), await unit.rooms.of_queue("en")
        assert ticket is not None
        assert room is not None
        await say_in(desk.work(unit), room, Say("A preview, say."))
        await unit.flush()
        (preview,) = await unit.outbox.in_state(OutboxState.PENDING)
        finish(desk.world, preview, OutboxState.SENT)
        preview.event_id = "$said-by-us"
        for event_id, thread in (("$talk", None), ("$answer", "$unknown")):
            event = Event(
                event_id=event_id,
                room_id=room.room_id or "",
                state=EventState.DONE,
                heard_at=desk.clock.now,
                thread_root=thread,
            )
            await unit.journal.note(event, sender=ANA, place=event_id)
        await announce(desk.work(unit), ticket)
    await hear(desk, verified=True, kind=EventKind.REACTION, relates_to=target, key=CANCEL_KEY)
    assert await Worker(desk.place).step() is not waits


@pytest.mark.parametrize("before", ["command", "file", "nothing"])
async def test_a_removal_is_kept_while_it_may_concern_a_file_that_is_asked_for(
    desk: Desk, before: str
) -> None:
    await desk.ticket()
    async with desk.units() as unit:
        ticket = await unit.tickets.get(1)
        assert ticket is not None
        if before == "file":
            await unit.enclosures.add(OutgoingFile(ref="x", ticket=ticket, asked_at=desk.clock.now))
    room = await room_of(desk)
    said = RoomEvent(
        "$1", room, ANA, EventKind.MESSAGE, desk.clock.now, body="!attach", msgtype="m.text", decrypted=True
    )
    removed = RoomEvent("$2", room, ANA, EventKind.REDACTION, desk.clock.now, relates_to="$file")
    heard = (said, removed) if before == "command" else (removed,)
    await EventJournal(desk.place, own_id=BOT).keep(Batch("s1", heard=heard))
    async with desk.units() as unit:
        assert ("$2" in await unit.journal.known(["$2"])) is (before != "nothing")


@pytest.mark.parametrize("when", ["at once", "after a restart", "with a key that comes late"])
async def test_the_words_of_one_event_do_nothing_under_the_id_of_another(desk: Desk, when: str) -> None:
    room_id = await room_of(desk)
    journal = EventJournal(desk.place, own_id=BOT)
    worker = Worker(desk.place)
    await hear(desk, verified=True, place="room key session 7")
    await worker.step()
    usual: dict[str, Any] = {"body": "!list all", "msgtype": "m.text", "decrypted": True, "verified": True}
    again = RoomEvent(
        "$again", room_id, ANA, EventKind.MESSAGE, desk.clock.now, place="room key session 7", **usual
    )
    if when == "at once":
        await journal.keep(Batch("s2", replayed=("$again",)))
    elif when == "after a restart":
        await journal.keep(Batch("s2", heard=(again,)))
    else:
        closed = Undecryptable("$again", room_id, ANA, "session", desk.clock.now)
        await journal.keep(Batch("s2", undecryptable=(closed,)))
        await journal.keep(Batch("s3", heard=(again,)))
    await journal.keep(Batch("s4", heard=(replace(again, event_id="$third"),)))
    assert not await worker.step()
    desk.clock.pass_by(hours=1)
    await worker.hint_undecryptable()
    assert [text for text in await said(desk) if "a second time" in text] == (await said(desk))[1:]
    assert len(await said(desk)) == 2
    await journal.keep(Batch("s5", heard=(replace(again, event_id="$next", place="room key session 8"),)))
    assert await worker.step(), "the next words of the same session are new"


async def test_the_same_event_heard_again_is_no_replay(desk: Desk) -> None:
    await hear(desk, verified=True, place="room key session 7")
    await hear(desk, verified=True, place="room key session 7")
    worker = Worker(desk.place)
    assert [await worker.step(), await worker.step()] == [True, False]
    assert len(await said(desk)) == 1


@pytest.mark.parametrize("key_came", [True, False])
async def test_what_was_asked_for_again_does_not_run_under_another_id_either(
    desk: Desk, *, key_came: bool
) -> None:
    room_id = await room_of(desk)
    journal = EventJournal(desk.place, own_id=BOT)
    place = "room key session 7"
    closed = Undecryptable("$said", room_id, ANA, "session", desk.clock.now, place=place)
    await journal.keep(Batch("s1", undecryptable=(closed,)))
    desk.clock.pass_by(hours=1)
    worker = Worker(desk.place)
    await worker.hint_undecryptable()
    if key_came:
        await hear(desk, verified=True, place=place)
    again = RoomEvent(
        "$again", room_id, ANA, EventKind.MESSAGE, desk.clock.now, "!list all", "m.text", decrypted=True
    )
    await journal.keep(Batch("s2", heard=(replace(again, place=place),)))
    assert not await worker.step()


async def test_the_place_of_words_is_kept_as_a_tag_after_the_words_are_gone(desk: Desk) -> None:
    await hear(desk, verified=True, place="room key session 7")
    await Worker(desk.place).step()
    async with desk.units() as unit:
        event = await unit.journal.get(1)
        assert event is not None
        assert (event.content, event.sender) == (None, None)
        assert event.place_tag == desk.units.vault.tag(TagKind.PLACE, "room key session 7")
