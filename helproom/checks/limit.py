# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checks how much the homeserver lets the bot say, and lifts the limit where it may."""

import datetime as dt
from collections.abc import AsyncIterator

from bot.errors import MatrixError
from bot.identity.rate_limit import lift_limit, limit_path
from desk.delivery.delivery import LIMITED
from helproom.checks.findings import Finding, ok, problem, warning
from helproom.config import databases, for_desk
from helproom.config.settings import Settings
from helproom.world import real_world
from storage.migrating import Shape, shape_of

PART = "Matrix limit"
_REMEMBERED = dt.timedelta(days=30)
_HOW = (
    "An admin of a Synapse lifts the limit for the bot's account: put an admin's access token into a file, "
    "name it in matrix.admin_token_file, and `helproom check` does it; or "
    """`curl -X POST -H "Authorization: Bearer $TOKEN" -d '{"messages_per_second": 0, "burst_count": 0}' """
)


async def check_limit(settings: Settings) -> AsyncIterator[Finding]:
    """Lift the limit with an admin's token; without one, say whether it was met, and how it is lifted."""
    token = settings.matrix.admin_token_file
    if token is not None:
        yield await _lift(settings, token.read_text())
        return
    met = await _met(settings)
    how = f"{_HOW}{settings.matrix.homeserver.rstrip('/')}{limit_path(settings.matrix.user_id)}`."
    if met is None or abs(real_world().now() - met) > _REMEMBERED:
        yield ok(PART, f"The homeserver has not limited how much the bot says. Should it do so: {how}")
        return
    yield warning(
        PART,
        f"The homeserver limits how much the bot may say, last seen at {met:%Y-%m-%d %H:%M} UTC: answers to "
        f"people go first, all else comes late. {how}",
    )


async def _lift(settings: Settings, token: str) -> Finding:
    try:
        was_limited = await lift_limit(settings.bot_account(), token)
    except MatrixError as error:
        return problem(PART, str(error))
    if was_limited:
        return ok(PART, "The homeserver limits the bot's account no more: the admin's token has lifted it.")
    return ok(PART, "The homeserver does not limit the bot's account.")


async def _met(settings: Settings) -> dt.datetime | None:
    """When the running desk last met the limit."""
    file = databases.file_of(for_desk.database_url(settings))
    if file is not None and not file.exists():
        return None
    units = for_desk.open_units(settings)
    try:
        if await shape_of(units.engine) is not Shape.CURRENT:
            return None
        async with units() as unit:
            met = await unit.facts.get(LIMITED)
    finally:
        await units.close()
    return dt.datetime.fromisoformat(met) if met else None
