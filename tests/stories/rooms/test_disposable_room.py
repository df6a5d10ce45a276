# SPDX-License-Identifier: AGPL-3.0-or-later
"""A disposable room is for those invited, obeys agents only, and leaves nothing of ours behind."""

import asyncio
import datetime as dt
from pathlib import Path

from bot.testing.person import PATIENCE, Person
from storage.models import RoomState
from tests.services.synapse import Homeserver
from tests.worlds.matrix import PASSWORD, MatrixDesk, Plan, running_desk

MAIL = b"From: user@example.org\r\nSubject: tricky\r\nMessage-ID: <t@example.org>\r\n\r\nIt is tricky.\r\n"


async def visit(plan: Plan) -> Person:
    """A guest with an account of their own."""
    plan.homeserver.register(plan.user_id("guest").partition(":")[0][1:], PASSWORD)
    return await come_back(plan)


async def come_back(plan: Plan) -> Person:
    """The same guest on the same device."""
    folder = plan.folder / "guest"
    return await Person.log_in(plan.homeserver.url, plan.user_id("guest"), PASSWORD, folder)


async def open_room(desk: MatrixDesk, guest: Person, *, number: int = 1) -> tuple[str, str]:
    """Have a room opened for the next ticket; return its id and the ticket's thread."""
    await desk.deliver(MAIL)
    announcement = await desk.announced(number)
    thread = announcement.event_id
    await desk.ana.say(announcement.room_id, f"!room open 12h {guest.user_id}", thread=thread)
    welcome = await guest.wait_for(lambda seen: "This room is for one matter" in seen.body)
    await desk.hears("The room is open until", thread=thread)
    return welcome.room_id, thread


async def pinned(desk: MatrixDesk) -> set[str | None]:
    """Whose identity the desk remembers."""
    async with desk.running.desk.units() as unit:
        return {pin.user_id for pin in await unit.pins.every()}


async def test_a_guest_cannot_command_and_the_end_removes_everybody(
    tmp_path: Path, synapse: Homeserver
) -> None:
    plan = Plan(tmp_path, synapse)
    async with running_desk(plan) as desk:
        guest = await visit(plan)
        try:
            room, thread = await open_room(desk, guest)
            assert await pinned(desk) >= {guest.user_id, desk.ana.user_id}
            await guest.say(room, "!room close")
            await guest.say(room, "!list all")
            await desk.ana.wait_for(lambda seen: seen.room_id == room and seen.body == "!list all")
            await desk.ana.say(room, "!list all")
            refusal = await desk.hears("In this room only")
            assert refusal.room_id == room
            await desk.ana.say(room, "!room close")
            await desk.hears("The disposable room is closed", thread=thread)
            async with desk.running.desk.units() as unit:
                row = await unit.rooms.by_room_id(room)
            assert row is not None
            assert row.state is RoomState.CLOSED
            await guest.wait_until_gone(room)
            assert room not in desk.running.session.client.rooms
            async with asyncio.timeout(PATIENCE):
                while guest.user_id in await pinned(desk):  # noqa: ASYNC110 - the database rings no bell here
                    await asyncio.sleep(0.05)
            assert desk.ana.user_id in await pinned(desk)
            assert not any("is forgotten" in seen.body for seen in desk.ana.seen)
        finally:
            await guest.close()


async def test_a_guest_who_joins_late_reads_what_was_said_since_the_invitation(
    tmp_path: Path, synapse: Homeserver
) -> None:
    plan = Plan(tmp_path, synapse)
    async with running_desk(plan) as desk:
        guest = await visit(plan)
        await guest.close()
        await desk.deliver(MAIL)
        announcement = await desk.announced(1)
        order = f"!room open 12h {guest.user_id}"
        await desk.ana.say(announcement.room_id, order, thread=announcement.event_id)
        welcome = await desk.hears("This room is for one matter")
        guest = await come_back(plan)
        try:
            seen = await guest.wait_for(lambda seen: seen.event_id == welcome.event_id)
            assert (seen.body, guest.unreadable) == (welcome.body, [])
        finally:
            await guest.close()


async def test_a_room_ends_by_itself(tmp_path: Path, synapse: Homeserver) -> None:
    plan = Plan(tmp_path, synapse)
    async with running_desk(plan) as desk:
        guest = await visit(plan)
        try:
            room, thread = await open_room(desk, guest)
            async with desk.running.desk.units() as unit:
                row = await unit.rooms.by_room_id(room)
                assert row is not None
                row.ends_at = dt.datetime.now(dt.UTC)
                # The watch sleeps until the end that it knows of.
                unit.wake("rooms")
            await desk.hears("The disposable room is closed", thread=thread)
            await guest.wait_until_gone(room)
        finally:
            await guest.close()
