# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checks on the bot: its login, its signed device, and what it may do in its rooms."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from bot.errors import MatrixError, StoreInUse
from bot.identity.crosssigning import ensure_signed, refuse_foreign
from bot.identity.session import Credential, Session, only_asking, open_session
from bot.rooms.rooms import Rooms
from helproom.checks.findings import Finding, ok, problem
from helproom.checks.rooms import check_rooms
from helproom.config.settings import Settings

_PATIENCE = 8.0
PART = "Matrix"


async def check_matrix(settings: Settings) -> AsyncIterator[Finding]:
    """Log in as `helproom run` would, and look at device and rooms; a login made for it ends with it."""
    credential = settings.matrix.credential()
    try:
        session = await open_session(settings.bot_account(), credential, patience=_PATIENCE)
    except StoreInUse:
        yield ok(PART, "A running Helproom uses the bot's session, so its keys are not tried now.")
        async with only_asking(settings.bot_account()) as client:
            for finding in await check_rooms(settings, Rooms(client)):
                yield finding
        return
    try:
        yield _look_at_login(session)
        yield await _look_at_device(session, settings.bot_account().folder, credential)
        for finding in await check_rooms(settings, Rooms(session.client)):
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
