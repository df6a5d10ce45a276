# SPDX-License-Identifier: AGPL-3.0-or-later
"""To which ticket a letter goes, and which letters may only claim one."""

from dataclasses import replace

import pytest

from desk.intake.matching import partner_pattern
from desk.letters.opened import Encryption, EncryptionState, Headers, Opened, WhisperBack
from storage.models import Letter, LetterState, MessageKind
from storage.sealing.vault import TagKind
from tests.desk.intake.test_intake import PLAIN, answer, take_in, token_of, told, wrote
from tests.worlds.desk import USER, Desk, with_intake

EVE, WORK = "eve@elsewhere.test", "work@elsewhere.test"
PARTNER = partner_pattern("[rt.example.org #{number}]")


def protected(subject: str, *, sender: str = USER, number: int = 2) -> Opened:
    """Return an encrypted letter with a protected subject."""
    opened = wrote(number=number, subject=subject, sender=sender)
    return replace(
        opened, encryption=Encryption(EncryptionState.OK), headers=replace(opened.headers, protected=True)
    )


def went(letter: Letter) -> tuple[LetterState, int | None]:
    return letter.state, letter.ticket_id


FOLLOWS, NEW_TICKET = (LetterState.FOLLOW_UP, 1), (LetterState.TICKET, 2)
CLAIMS = (LetterState.QUARANTINED, 1)


async def test_our_tag_counts_inside_a_protected_subject_only(desk: Desk):
    await take_in(desk, PLAIN)
    assert went(await take_in(desk, protected("Re: Wifi [#1]"))) == FOLLOWS
    assert went(await take_in(desk, wrote(number=3, subject="Re: Wifi [#1]"))) == NEW_TICKET


async def test_a_tag_of_no_ticket_is_nothing_but_words(desk: Desk):
    await take_in(desk, PLAIN)
    assert went(await take_in(desk, protected("My router [#99] and [#999999999]"))) == NEW_TICKET


async def test_somebody_else_only_claims_the_ticket_and_a_release_lets_them_in(desk: Desk):
    await take_in(desk, PLAIN)
    opened = protected("Re: Wifi [#1]", sender=EVE)
    letter = await take_in(desk, opened)
    assert went(letter) == CLAIMS
    assert letter.reason == "claims to belong to ticket 1, but comes from somebody else"
    assert len(await desk.messages(1)) == 1
    said = await desk.say(f"!quarantine release {letter.id}")
    assert said == f"Letter {letter.id} is opened again and goes to ticket 1."


async def test_the_outer_sender_of_a_report_is_no_party(desk: Desk):
    report = WhisperBack("id1", "No sound", USER)
    await take_in(desk, replace(wrote(sender=EVE), whisperback=report))
    assert went(await take_in(desk, protected("Re: [#1]", sender=EVE, number=3))) == CLAIMS
    assert went(await take_in(desk, protected("Re: [#1]", number=4))) == FOLLOWS


async def test_who_has_proven_the_token_is_a_party_from_then_on(desk: Desk):
    await take_in(desk, PLAIN)
    ours = await answer(desk)
    from_work = wrote(sender=WORK, in_reply_to=(ours,))
    assert went(await take_in(desk, from_work)) == CLAIMS
    assert went(await take_in(desk, wrote(number=3, sender=WORK), token=await token_of(desk))) == FOLLOWS
    assert went(await take_in(desk, wrote(number=4, sender=WORK, in_reply_to=(ours,)))) == FOLLOWS
    assert "did not come from the ticket's address" in await desk.say("!show", ticket=1)
    assert went(await take_in(desk, wrote(number=5, sender=EVE, in_reply_to=(ours,)))) == CLAIMS


async def test_a_party_of_one_ticket_is_none_of_another(desk: Desk):
    await take_in(desk, PLAIN)
    await take_in(desk, wrote(number=2, sender=EVE))
    await take_in(desk, wrote(number=3, sender=WORK), token=await token_of(desk, 2))
    letter = await take_in(desk, protected("[#1]", sender=WORK, number=4))
    assert went(letter) == CLAIMS


async def two_tickets(desk: Desk) -> tuple[str, str]:
    """Open two tickets of the user, each with an answer; return the answers' Message-IDs."""
    await take_in(desk, PLAIN)
    await take_in(desk, wrote())
    first, second = "<first@helproom.test>", "<second@helproom.test>"
    for number, message_id in ((1, first), (2, second)):
        await answer(desk, number)
        async with desk.units() as unit:
            message = (await unit.messages.of(await unit.tickets.get(number)))[-1]
            message.message_id_tag = unit.messages.message_id_tag(message_id)
    return first, second


@pytest.mark.parametrize(
    ("named", "goes"), [("12222", 1), ("01222", 1), ("00122", 1), ("00012", 1), ("00002", 2)]
)
async def test_what_names_a_ticket_best_counts(desk: Desk, named: str, goes: int):
    """By In-Reply-To, References, token, a partner's number and ours; 0 is none."""
    desk.config = with_intake(desk.config, partners=(PARTNER,))
    first, second = await two_tickets(desk)
    ids: dict[str, tuple[str, ...]] = {"0": (), "1": (first,), "2": (second,)}
    for number in (1, 2):
        case = wrote(number=10 + number, subject=f"[rt.example.org #{number}]")
        assert went(await take_in(desk, case, token=await token_of(desk, number)))[1] == number
    by_answer, by_reference, token, partner, ours = list(named)
    opened = protected(f"[rt.example.org #{partner}] [#{ours}]", number=20)
    headers = replace(opened.headers, in_reply_to=ids[by_answer], references=ids[by_reference])
    has_token = await token_of(desk, int(token)) if int(token) else None
    kept = await take_in(desk, replace(opened, headers=headers), token=has_token)
    assert went(kept) == (LetterState.FOLLOW_UP, goes)


async def test_a_ticket_that_its_sender_may_name_counts_before_one_that_is_claimed(desk: Desk):
    first, _ = await two_tickets(desk)
    opened = wrote(number=3, sender=EVE, in_reply_to=(first,))
    assert went(await take_in(desk, opened, token=await token_of(desk, 2))) == (LetterState.FOLLOW_UP, 2)
    assert went(await take_in(desk, wrote(number=4, sender=WORK, in_reply_to=(first,)))) == CLAIMS


async def test_a_letter_that_names_two_tickets_alike_is_put_aside(desk: Desk):
    await two_tickets(desk)
    letter = await take_in(desk, protected("Re: [#2] [#1]", number=3))
    assert letter.state is LetterState.QUARANTINED
    assert letter.reason == "claims to belong to several tickets: 2, 1"
    assert "several tickets: 2, 1" in await told(desk)
    both = await take_in(desk, protected("Re: [#2] [#1]", number=4), token=await token_of(desk))
    assert went(both) == FOLLOWS


async def test_a_letter_that_names_one_ticket_twice_goes_there(desk: Desk):
    await take_in(desk, PLAIN)
    opened = protected("Re: [#1] [#1]")
    opened = replace(opened, headers=replace(opened.headers, references=(await answer(desk),)))
    assert went(await take_in(desk, opened, token=await token_of(desk))) == FOLLOWS


async def test_a_partner_s_number_is_remembered_with_the_ticket(desk: Desk):
    desk.config = with_intake(desk.config, partners=(PARTNER,))
    await take_in(desk, PLAIN)
    subject = "[RT.example.org  #123] wifi"
    with_token = wrote(sender=WORK, subject="Re: Wifi [rt.example.org #123]")
    assert went(await take_in(desk, with_token, token=await token_of(desk))) == FOLLOWS
    assert went(await take_in(desk, wrote(number=3, sender=WORK, subject=subject))) == FOLLOWS
    assert went(await take_in(desk, wrote(number=4, sender=EVE, subject=subject))) == CLAIMS
    other = subject.replace("123", "124")
    assert went(await take_in(desk, wrote(number=5, sender=WORK, subject=other))) == NEW_TICKET
    assert went(await take_in(desk, wrote(number=6, sender=WORK, subject=other))) == (
        LetterState.FOLLOW_UP,
        2,
    )


async def test_no_partner_s_number_stands_in_the_database(desk: Desk):
    desk.config = with_intake(desk.config, partners=(PARTNER,))
    await take_in(desk, replace(PLAIN, headers=replace(PLAIN.headers, subject="[rt.example.org #98765]")))
    async with desk.units() as unit:
        tag = unit.vault.tag(TagKind.PARTNER, f"{PARTNER.pattern}\x0098765")
        assert await unit.tickets.marked([tag]) == [1]


@pytest.mark.parametrize(("sender", "goes"), [(USER, FOLLOWS), (EVE, NEW_TICKET)])
async def test_who_answers_their_own_letter_goes_on_in_the_ticket(desk: Desk, sender: str, goes: object):
    await take_in(desk, PLAIN)
    opened = wrote(sender=sender, in_reply_to=(PLAIN.headers.message_id,))
    assert went(await take_in(desk, opened)) == goes


async def test_nobody_is_no_party(desk: Desk):
    await take_in(desk, replace(PLAIN, headers=Headers(message_id="<1@example.org>")))
    assert went(await take_in(desk, protected("[#1]", sender=""))) == CLAIMS
    assert [each.kind for each in await desk.messages(1)] == [MessageKind.IN]


async def test_a_letter_in_somebody_s_name_draws_no_other_letter_of_theirs_into_a_ticket(desk: Desk):
    """Whoever has a ticket of their own has its token, and can send a letter with anybody's From there."""
    await take_in(desk, PLAIN)
    await take_in(desk, wrote(number=2, sender=EVE))
    forged = replace(PLAIN, text="Not the user's words.")
    assert went(await take_in(desk, forged, token=await token_of(desk, 2))) == (LetterState.FOLLOW_UP, 2)
    goes_on = wrote("One thing more.", number=3, in_reply_to=(PLAIN.headers.message_id,))
    assert went(await take_in(desk, goes_on)) == FOLLOWS
