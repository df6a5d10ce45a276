# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checks on the bot: its login, its signed device, and what it may do in its rooms."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from bot.crosssigning import ensure_signed, refuse_foreign
from bot.errors import MatrixError, StoreInUse
from bot.homes import Home
from bot.rooms import Rooms
from bot.session import Credential, Session, open_session
from helproom import databases, handover
from helproom.checks.findings import Finding, ok, problem, warning
from helproom.outside import bot_account, bot_credential, homes
from helproom.settings import Settings
from storage.migrating import Shape, shape_of
from storage.unit import Units

_PATIENCE = 8.0
PART = "Matrix"


async def check_matrix(settings: Settings) -> AsyncIterator[Finding]:
    """Log in as `helproom run` would, and look at device and rooms; a login made for it ends with it."""
    credential = bot_credential(settings)
    try:
        session = await open_session(bot_account(settings), credential, patience=_PATIENCE)
    except StoreInUse:
        yield ok(PART, "A running Helproom uses the bot's session, so it is not tried now.")
        return
    try:
        yield _look_at_login(session)
        yield await _look_at_device(session, bot_account(settings).folder, credential)
        for finding in await _look_at_rooms(settings, session):
            yield finding
    finally:
        if session.is_new:
            with contextlib.suppress(MatrixError):
                await session.end()
        await session.close()


def _look_at_login(session: Session) -> Finding:
    if session.is_new:
        return ok(PART, "The homeserver answers and lets the bot in; `helproom run` makes the bot's device.")
    return ok(PART, f"The homeserver answers, and the bot is logged in as device {session.device_id}.")


async def _look_at_device(session: Session, folder: Path, credential: Credential) -> Finding:
    try:
        if not session.is_new:
            await ensure_signed(session.client, folder, credential.password)
        elif not await refuse_foreign(session.client, folder):
            return ok("Matrix device", "The bot has no identity yet; `helproom run` makes it.")
        else:
            return ok("Matrix device", "The keys of the bot's identity are here.")
    except MatrixError as error:
        return problem("Matrix device", str(error))
    return ok("Matrix device", "The bot's device is signed by its own identity.")


async def _look_at_rooms(settings: Settings, session: Session) -> list[Finding]:
    known = await _known_rooms(settings)
    return [await _room(home, known.get(home.queue), session) for home in homes(settings)]


async def _room(home: Home, made: str | None, session: Session) -> Finding:
    part = f"room of {home.queue}" if home.queue else "operators' room"
    room_id = home.room_id or made
    if room_id is None:
        return warning(part, "There is none yet: `helproom run` makes it.")
    missing = await Rooms(session.client).missing_rights(room_id)
    if missing:
        return problem(part, " ".join(missing))
    return ok(part, "It is encrypted, and the bot may do its work there.")


async def _known_rooms(settings: Settings) -> dict[str | None, str | None]:
    """The rooms that the bot has made, by queue."""
    file = databases.file_of(handover.database_url(settings))
    if file is not None and not file.exists():
        return {}
    units = handover.open_units(settings)
    try:
        return await _read_rooms(units, settings)
    finally:
        await units.close()


async def _read_rooms(units: Units, settings: Settings) -> dict[str | None, str | None]:
    if await shape_of(units.engine) is not Shape.CURRENT:
        return {}
    async with units() as unit:
        rows = {queue.name: await unit.rooms.of_queue(queue.name) for queue in settings.queues}
        operators = await unit.rooms.of_operators()
    return {name: row.room_id if row else None for name, row in (*rows.items(), (None, operators))}
