# SPDX-License-Identifier: AGPL-3.0-or-later
"""One ciphertext from two senders: both letters are suspect, whichever came first."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from desk.intake import steps
from desk.letters.facts import writer_of
from desk.letters.opened import (
    Encryption,
    EncryptionState,
    Headers,
    Opened,
    Signature,
    SignatureState,
    WhisperBack,
)
from desk.outbox.posts import say_from_json
from desk.tickets.details import LetterDetails
from storage.models import Ciphertext, Letter, LetterState
from storage.queries.letters import IncomingMail
from tests.worlds.desk import ANA, USER, Desk

OPEN = Opened(
    "pgp/mime encrypted",
    Encryption(EncryptionState.OK),
    Headers(subject="Inner", sender=USER, message_id="<1@example.org>", protected=True, names_sender=True),
    "My secret.",
    sessions=("digest",),
)
STRANGER = "eve@elsewhere.test"
GOOD = Signature(SignatureState.GOOD, "A" * 40)


def sent_by(address: str, number: int) -> Opened:
    """Return the same ciphertext in a mail of somebody's."""
    return replace(OPEN, headers=Headers(sender=address, message_id=f"<{number}@example.org>"))


async def came(desk: Desk, opened: Opened, *, released: bool = False) -> Letter:
    """Take a letter in."""
    async with desk.units() as unit:
        raw = opened.headers.message_id.encode()
        new = IncomingMail("en", USER, None, raw)
        letter = await unit.letters.get(
            await unit.letters.keep(new, ref=desk.world.token(), at=desk.clock.now, source="lmtp") or 0
        )
        assert letter is not None
        letter.released_by = ANA if released else None
        await steps.take_in(desk.work(unit), letter, opened)
        return letter


async def warnings(desk: Desk, number: int) -> tuple[bool, list[str]]:
    """Return whether a ticket's letter is marked, and what its reader is warned of."""
    details = LetterDetails.load((await desk.messages(number))[0])
    return bool(details.replayed), [each[:36] for each in details.problems]


MARKED = (True, ["The same ciphertext came from somebo"])


async def test_both_letters_are_marked_and_the_first_ones_thread_hears_of_it_once(desk: Desk):
    await came(desk, sent_by(STRANGER, 1))
    assert await warnings(desk, 1) == (False, [])
    await came(desk, sent_by(USER, 2))
    await came(desk, sent_by("third@example.org", 3))
    assert [await warnings(desk, number) for number in (1, 2, 3)] == [MARKED] * 3
    told = [say_from_json(row.payload or "").text for row in await desk.rows("say") if row.ticket_id == 1]
    [once] = [each for each in told if "as the same ciphertext" in each]
    assert once.startswith("The letter of 2026-03-02 12:00 UTC came again")


async def test_what_the_same_address_sends_again_is_not_quoted_but_needs_no_warning(desk: Desk):
    await came(desk, sent_by(USER, 1))
    await came(desk, sent_by(USER, 2))
    assert [await warnings(desk, number) for number in (1, 2)] == [(False, []), (True, [])]


async def test_a_first_letter_that_waits_in_quarantine_is_marked_when_it_is_released(desk: Desk):
    number = await desk.ticket(contact="kim@example.org", subject="Mine")
    claim = replace(
        sent_by(STRANGER, 1), headers=Headers(subject=f"[#{number}]", sender=STRANGER, protected=True)
    )
    letter = await came(desk, claim)
    assert letter.state is LetterState.QUARANTINED
    await came(desk, sent_by(USER, 2))
    async with desk.units() as unit:
        again = await unit.letters.get(letter.id)
        assert again is not None
        again.released_by, again.ticket_id = ANA, None
        await steps.take_in(desk.work(unit), again, claim)
    assert await warnings(desk, 3) == MARKED


@pytest.mark.parametrize(
    ("changed", "writer"),
    [
        ({}, USER),
        ({"signatures": (GOOD,)}, USER),
        ({"signatures": (replace(GOOD, state=SignatureState.UNKNOWN_KEY),)}, USER),
        ({"headers": Headers(sender=USER), "signatures": (GOOD,)}, USER),
        ({"form": "pgp/mime encrypted, pgp/mime signed", "signatures": (GOOD,)}, USER),
        ({"headers": Headers(sender=USER)}, ""),
        ({"headers": Headers(sender=USER), "signatures": (replace(GOOD, covers="part"),)}, ""),
        (
            {"headers": Headers(sender=USER), "signatures": (GOOD, replace(GOOD, state=SignatureState.BAD))},
            "",
        ),
        ({"signatures": (replace(GOOD, state=SignatureState.GOOD_OTHER_SENDER),)}, ""),
        ({"form": "pgp/mime signed, pgp/mime encrypted", "signatures": (GOOD,)}, ""),
        ({"form": "inline encrypted + encrypted attachment"}, ""),
        ({"sessions": ("one", "other")}, ""),
        ({"sessions": ()}, ""),
        ({"relayed": ("By a list.",)}, ""),
        ({"whisperback": WhisperBack(contact_email="kim@example.org")}, "kim@example.org"),
        ({"whisperback": WhisperBack()}, ""),
    ],
)
def test_a_writer_is_who_is_named_within_the_one_ciphertext(changed: dict[str, Any], writer: str):
    assert writer_of(replace(OPEN, **changed)) == writer


async def test_of_two_units_that_meet_a_ciphertext_at_once_one_is_first(desk: Desk):
    """As when one letter comes while another is opened again."""
    letters = [(await came(desk, replace(sent_by(USER, number), sessions=()))).id for number in (1, 2)]
    has_met = asyncio.Event()

    async def meet(letter: int) -> int | None:
        async with desk.units() as unit:
            new = Ciphertext(tag="tag", letter_id=letter, contact_tag=None, seen_at=desk.clock.now)
            first = await unit.letters.first_with(new)
            await unit.flush()
            has_met.set()
            await asyncio.sleep(0.2)
            return first.letter_id

    faster = asyncio.create_task(meet(letters[0]))
    await has_met.wait()
    assert [await meet(letters[1]), await faster] == [letters[0]] * 2
