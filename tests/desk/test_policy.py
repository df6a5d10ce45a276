# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail leaves protected, or for a stated reason in clear, or not at all."""

import datetime as dt

import pytest

from desk.keys import keep
from desk.opened import OfferedKey
from desk.policy import protection_of
from desk.world import Refusal
from storage.states import KeyState
from tests.desks import MONDAY_NOON, Desk

HOUR = dt.timedelta(hours=1)
FIRST, SECOND = "1" * 40, "2" * 40
SEEN, PINNED, CHANGED = KeyState.SEEN, KeyState.PINNED, KeyState.CHANGED
FRESH, OLD = MONDAY_NOON + HOUR, MONDAY_NOON - HOUR


async def decide(desk: Desk, *, confidential: bool, keys: list) -> str:
    """Return the fingerprint that protects, "clear", or the refusal."""
    number = await desk.ticket(confidential=confidential)
    async with desk.units() as unit:
        ticket = await unit.tickets.get(number)
        for fingerprint, state, expires in keys:
            key = OfferedKey(fingerprint, "attached", fingerprint.encode(), expires)
            await keep(unit, desk.world, ticket.contact_tag, key, state)
        try:
            protection = await protection_of(unit, ticket, desk.clock.now)
        except Refusal as why:
            return str(why)
        if protection.fingerprint is None:
            assert protection.key is None
            return "clear"
        assert protection.key == protection.fingerprint.encode()
        return protection.fingerprint


@pytest.mark.parametrize("confidential", [True, False])
@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        ([(FIRST, SEEN, None)], FIRST),
        ([(FIRST, SEEN, FRESH)], FIRST),
        ([(FIRST, SEEN, None), (SECOND, CHANGED, None)], FIRST),
        ([(FIRST, SEEN, OLD), (SECOND, PINNED, None)], SECOND),
        ([(FIRST, SEEN, None), (SECOND, PINNED, OLD)], FIRST),
        ([(FIRST, SEEN, None), (SECOND, PINNED, None)], SECOND),
    ],
)
async def test_a_usable_key_protects_whatever_the_ticket_is(
    desk: Desk, *, confidential: bool, keys: list, chosen: str
):
    assert await decide(desk, confidential=confidential, keys=keys) == chosen


@pytest.mark.parametrize(
    ("confidential", "keys", "why"),
    [
        (True, [], "no public key of the user is known"),
        (True, [(FIRST, SEEN, OLD)], "has expired"),
        (True, [(FIRST, SEEN, MONDAY_NOON)], "has expired"),
        (True, [(FIRST, CHANGED, None)], "has changed, and nobody has accepted"),
        (True, [(FIRST, SEEN, OLD), (SECOND, CHANGED, None)], "has expired"),
        (False, [(FIRST, SEEN, OLD)], "this mail does not leave in clear"),
    ],
)
async def test_without_a_usable_key_nothing_leaves(desk: Desk, *, confidential: bool, keys: list, why: str):
    answer = await decide(desk, confidential=confidential, keys=keys)
    assert answer.startswith("Not sent: ")
    assert why in answer


async def test_only_who_never_wrote_encrypted_and_has_no_key_is_answered_in_clear(desk: Desk):
    assert await decide(desk, confidential=False, keys=[]) == "clear"


async def test_the_key_of_one_contact_does_not_protect_mail_to_another(desk: Desk):
    await desk.ticket(contact="other@example.org")
    await desk.user_has_key()
    assert "no public key" in await decide(desk, confidential=True, keys=[])


async def test_a_contact_is_known_whatever_the_case_of_the_address(desk: Desk):
    await desk.ticket(contact="USER@Example.org")
    await desk.user_has_key()
    assert (await decide(desk, confidential=True, keys=[])).startswith("0123")
