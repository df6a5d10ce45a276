# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a letter becomes: a ticket, a follow-up, quarantine, or nothing."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from desk.config import Shift
from desk.intake import steps
from desk.keys.offers import digest_of
from desk.letters.facts import worst_signature
from desk.letters.opened import (
    Automatic,
    Encryption,
    EncryptionState,
    Headers,
    Language,
    OfferedKey,
    Opened,
    Signature,
    SignatureState,
    WhisperBack,
)
from desk.outbox.posts import say_from_json
from storage.models import KeyState, Letter, LetterState, MessageKind
from storage.queries.letters import IncomingMail
from storage.sealing.vault import address_tag
from tests.worlds.desk import ANA, BEN, FINGERPRINT, USER, Desk, with_replies

PLAIN = Opened(
    "plain",
    Encryption(EncryptionState.NONE),
    Headers(subject="Wifi", sender=USER, message_id="<1@example.org>"),
    "My wifi is gone.",
)
OTHER = "F" * 40


def wrote(text: str = "More.", *, number: int = 2, **headers: Any) -> Opened:
    """Return a plain letter of the user with a Message-ID of its own."""
    return replace(
        PLAIN, text=text, headers=replace(PLAIN.headers, message_id=f"<{number}@example.org>", **headers)
    )


async def take_in(desk: Desk, opened: Opened, *, queue: str = "en", token: str | None = None) -> Letter:
    """Hand a letter over and take it in."""
    async with desk.units() as unit:
        raw = repr((opened.headers.message_id, opened.text)).encode()
        new = IncomingMail(queue, USER, token, raw)
        number = await unit.letters.keep(new, ref=desk.world.token(), at=desk.clock.now, source="lmtp")
        assert number is not None
        letter = await unit.letters.get(number)
        assert letter is not None
        await steps.take_in(desk.work(unit), letter, opened)
        return letter


async def token_of(desk: Desk, number: int = 1) -> str:
    """Return what stands behind the + in the ticket's reply address."""
    return desk.units.vault.reply_token((await desk.look(number)).ref)


async def answer(desk: Desk, number: int = 1) -> str:
    """Answer a ticket; return the Message-ID of the answer."""
    await desk.say("!reply Hello", ticket=number)
    async with desk.units() as unit:
        message = (await unit.messages.of(await unit.tickets.get(number)))[-1]
        message.message_id_tag = unit.messages.message_id_tag("<answer@helproom.test>")
    await desk.say("!cancel", ticket=number)
    return "<answer@helproom.test>"


async def told(desk: Desk) -> str:
    """Return all that is going to be said."""
    return "\n".join(row.payload for row in await desk.rows("say"))


async def test_a_letter_becomes_a_ticket_with_announcement_and_ping(desk: Desk):
    letter = await take_in(desk, PLAIN)
    assert (letter.state, letter.ticket_id) == (LetterState.TICKET, 1)
    ticket = await desk.look(1)
    assert (ticket.contact, ticket.subject, ticket.queue, ticket.confidential) == (USER, "Wifi", "en", False)
    [message] = await desk.messages(1)
    assert (message.text, message.kind) == ("My wifi is gone.", MessageKind.IN)
    assert [row.kind for row in await desk.rows()] == ["announce", "ping"]
    ping = say_from_json((await desk.rows("ping"))[0].payload)
    assert (ping.text, ping.mentions) == ("Ticket 1 is new, and nobody is on duty.", ())


async def test_who_is_on_duty_is_mentioned_once_and_else_the_fallback(desk: Desk):
    day = (desk.clock.now.time().replace(hour=9), desk.clock.now.time().replace(hour=18))
    duty = Shift(ANA, frozenset({0}), *day, "UTC")
    desk.config = replace(desk.config, shifts=(duty, duty))
    await take_in(desk, PLAIN, queue="fr")
    desk.clock.pass_by(hours=12)
    await take_in(desk, wrote(), queue="fr")
    pings = [say_from_json(row.payload).mentions for row in await desk.rows("ping")]
    assert pings == [(ANA,), (BEN,)]


@pytest.mark.parametrize("by", ["token", "in_reply_to", "references"])
async def test_an_answer_to_ours_goes_to_its_ticket(desk: Desk, by: str):
    await take_in(desk, PLAIN)
    ours = await answer(desk)
    headers: dict[str, Any] = {by: (ours,)}
    opened, token = (wrote(), await token_of(desk)) if by == "token" else (wrote(**headers), None)
    letter = await take_in(desk, opened, token=token)
    assert (letter.state, letter.ticket_id) == (LetterState.FOLLOW_UP, 1)
    assert (await desk.messages(1))[-1].text == "More."
    assert "The user wrote again." in await told(desk)


async def test_a_follow_up_opens_a_closed_ticket_again(desk: Desk):
    await take_in(desk, PLAIN)
    await desk.say("!close", ticket=1)
    await take_in(desk, wrote(), token=await token_of(desk))
    assert (await desk.look(1)).closed_at is None
    assert "so the ticket is open again" in await told(desk)


async def test_a_reference_by_somebody_else_is_quarantined_and_told(desk: Desk):
    await take_in(desk, PLAIN)
    opened = wrote("Please show me all.", sender="eve@elsewhere.test", in_reply_to=(await answer(desk),))
    letter = await take_in(desk, opened)
    assert letter.state is LetterState.QUARANTINED
    assert "Please show me all." not in [each.text for each in await desk.messages(1)]
    assert f"Letter {letter.id} is in quarantine" in await told(desk)
    assert "eve" not in await told(desk)


async def test_the_token_vouches_for_another_address(desk: Desk):
    await take_in(desk, PLAIN)
    letter = await take_in(desk, wrote(sender="work@elsewhere.test"), token=await token_of(desk))
    assert letter.state is LetterState.FOLLOW_UP
    assert "A letter came from another address than the user's. Not encrypted." in await told(desk)
    elsewhere = "Attention: this did not come from the ticket's address."
    assert elsewhere in await desk.say("!show", ticket=1)
    await take_in(desk, wrote(number=3), token=await token_of(desk))
    assert elsewhere not in await desk.say("!show", ticket=1)


async def test_a_wrong_token_makes_a_ticket_of_its_own(desk: Desk):
    await take_in(desk, PLAIN)
    letter = await take_in(desk, wrote(), token="a" * 16)
    assert (letter.state, letter.ticket_id) == (LetterState.TICKET, 2)


async def test_a_bounce_of_ours_is_told_in_the_thread_and_is_no_word_of_the_user(desk: Desk):
    await take_in(desk, PLAIN)
    bounce = replace(wrote("No such user."), automatic=Automatic.BOUNCE)
    letter = await take_in(desk, bounce, token=await token_of(desk))
    assert letter.state is LetterState.FOLLOW_UP
    assert len(await desk.messages(1)) == 1
    [row] = await desk.rows("say")
    said = say_from_json(row.payload)
    assert said.text.startswith("A bounce came back for this ticket. `!quarantine show 2` shows it;")
    assert said.quote == ""


async def test_an_automatic_answer_shows_no_decrypted_words_and_makes_its_ticket_confidential(desk: Desk):
    await take_in(desk, PLAIN)
    away = replace(wrote(), automatic=Automatic.AUTO_REPLY, encryption=Encryption(EncryptionState.OK))
    await take_in(desk, away, token=await token_of(desk))
    assert (await desk.look(1)).confidential
    assert "More." not in await told(desk)


async def test_an_automatic_answer_of_somebody_else_is_quarantined(desk: Desk):
    await take_in(desk, PLAIN)
    away = replace(wrote(sender="eve@elsewhere.test", in_reply_to=(await answer(desk),)))
    letter = await take_in(desk, replace(away, automatic=Automatic.AUTO_REPLY))
    assert letter.state is LetterState.QUARANTINED


async def test_a_bounce_needs_no_party(desk: Desk):
    await take_in(desk, PLAIN)
    bounce = wrote(sender="mailer-daemon@elsewhere.test", in_reply_to=(await answer(desk),))
    letter = await take_in(desk, replace(bounce, automatic=Automatic.BOUNCE))
    assert (letter.state, letter.ticket_id) == (LetterState.FOLLOW_UP, 1)


async def test_an_encrypted_follow_up_through_a_list_is_the_user_s_word(desk: Desk):
    await take_in(desk, PLAIN)
    listed = replace(wrote(), automatic=Automatic.LIST, encryption=Encryption(EncryptionState.OK))
    await take_in(desk, listed, token=await token_of(desk))
    assert [each.text for each in await desk.messages(1)] == ["My wifi is gone.", "More."]
    assert (await desk.look(1)).confidential


@pytest.mark.parametrize("automatic", [Automatic.BOUNCE, Automatic.AUTO_REPLY])
async def test_automatic_mail_that_answers_nothing_is_quarantined(desk: Desk, automatic: Automatic):
    letter = await take_in(desk, replace(PLAIN, automatic=automatic))
    assert letter.state is LetterState.QUARANTINED
    assert await desk.rows("announce") == []


async def test_the_same_letter_is_kept_once(desk: Desk):
    new = IncomingMail("en", USER, None, b"raw")
    for mail, kept in ((new, True), (new, False), (replace(new, queue="fr"), True)):
        async with desk.units() as unit:
            number = await unit.letters.keep(mail, ref=desk.world.token(), at=desk.clock.now, source="lmtp")
            assert (number is not None) is kept


async def test_a_mail_that_another_process_is_taking_in_is_seen(desk: Desk):
    """Units wait for each other also where no lock of this process joins them."""
    opened = replace(PLAIN, identity="the same")
    letters = []
    for token in ("one", "two"):
        async with desk.units() as unit:
            mail = IncomingMail("en", USER, token, b"raw")
            letters.append(
                await unit.letters.keep(mail, ref=desk.world.token(), at=desk.clock.now, source="lmtp")
            )

    async def second() -> None:
        async with desk.units() as unit:
            await steps.take_in(desk.work(unit), await unit.letters.get(letters[1] or 0), opened)

    async with desk.units() as unit:
        await steps.take_in(desk.work(unit), await unit.letters.get(letters[0] or 0), opened)
        waiting = asyncio.create_task(second())
        await asyncio.wait({waiting}, timeout=0.3)
    await waiting
    async with desk.units() as unit:
        states = [(await unit.letters.get(number or 0)).state for number in letters]
    assert states == [LetterState.TICKET, LetterState.DROPPED]


async def test_a_message_id_of_somebody_else_does_not_make_a_letter_vanish(desk: Desk):
    await take_in(desk, PLAIN)
    letter = await take_in(desk, replace(PLAIN, text="Another matter."))
    assert (letter.state, letter.ticket_id) == (LetterState.TICKET, 2)


@pytest.mark.parametrize(
    ("queue", "code", "confidence", "room", "language"),
    [
        ("en", "fr", 0.9, "fr", "fr"),
        ("en", "fr", 0.3, "en", "en"),
        ("en", "de", 0.9, "en", "de"),
        ("fr", "en", 0.9, "fr", "fr"),
        ("en", "en", 0.2, "en", "en"),
    ],
)
async def test_the_language_chooses_the_room_where_the_address_leaves_it_open(
    desk: Desk, queue: str, code: str, confidence: float, room: str, language: str
):
    await take_in(desk, replace(PLAIN, language=Language(code, confidence)), queue=queue)
    ticket = await desk.look(1)
    assert (ticket.queue, ticket.language, ticket.mailbox) == (room, language, queue)


async def test_a_report_is_confidential_and_its_contact_is_the_one_inside(desk: Desk):
    report = WhisperBack("id1", "No sound", USER, tails_version="6.10")
    opened = replace(PLAIN, whisperback=report, headers=Headers(sender="help@helproom.test"))
    letter = await take_in(desk, opened)
    assert letter.state is LetterState.TICKET
    ticket = await desk.look(1)
    assert (ticket.contact, ticket.subject, ticket.tails_version) == (USER, "No sound", "6.10")
    assert ticket.confidential


@pytest.mark.parametrize(
    ("app", "kind"),
    [
        ("tor-browser", "bug report, tor-browser"),
        ("call me at +49 123", "bug report"),
        ("a" * 31, "bug report"),
        (None, "bug report"),
    ],
)
async def test_a_report_s_program_is_named_only_where_it_looks_like_one(desk: Desk, app: str, kind: str):
    await take_in(desk, replace(PLAIN, whisperback=WhisperBack("id1", "No sound", USER, app=app)))
    assert (await desk.look(1)).kind == kind


@pytest.mark.parametrize("state", [each for each in EncryptionState if each is not EncryptionState.NONE])
async def test_whatever_came_encrypted_is_confidential(desk: Desk, state: EncryptionState):
    await take_in(desk, replace(PLAIN, encryption=Encryption(state)))
    assert (await desk.look(1)).confidential


async def test_an_encrypted_follow_up_makes_a_ticket_confidential_for_ever(desk: Desk):
    await take_in(desk, PLAIN)
    token = await token_of(desk)
    await take_in(desk, replace(wrote(), encryption=Encryption(EncryptionState.OK)), token=token)
    await take_in(desk, wrote(number=3), token=token)
    assert (await desk.look(1)).confidential


def test_the_worst_signature_counts():
    signatures = tuple(Signature(state, None) for state in (SignatureState.GOOD, SignatureState.BAD))
    assert worst_signature(replace(PLAIN, signatures=signatures)) == "bad"
    assert worst_signature(PLAIN) == "none"


async def _keys(desk: Desk) -> list[tuple[str, KeyState]]:
    async with desk.units() as unit:
        return [(key.fingerprint, key.state) for key in await unit.keys.of(address_tag(unit.vault, USER))]


async def test_the_first_key_is_used_and_another_one_waits_and_is_told(desk: Desk):
    await take_in(desk, replace(PLAIN, keys=(OfferedKey(FINGERPRINT, "autocrypt", b"one"),)))
    assert await _keys(desk) == [(FINGERPRINT, KeyState.SEEN)]
    prolonged = OfferedKey(FINGERPRINT, "attached", b"one, prolonged", grown_from=digest_of(b"one"))
    again = replace(wrote(), keys=(prolonged,))
    await take_in(desk, again, token=await token_of(desk))
    assert await _keys(desk) == [(FINGERPRINT, KeyState.SEEN)]
    assert "another public key" not in await told(desk)
    changed = replace(wrote(number=3), keys=(OfferedKey(OTHER, "attached", b"two"),))
    await take_in(desk, changed, token=await token_of(desk))
    assert await _keys(desk) == [(FINGERPRINT, KeyState.SEEN), (OTHER, KeyState.CHANGED)]
    assert "The user sent another public key, FFFF FFFF" in await told(desk)


async def test_what_is_said_of_two_keys_in_a_first_letter_follows_its_announcement(desk: Desk):
    keys = (OfferedKey(FINGERPRINT, "autocrypt", b"one"), OfferedKey(OTHER, "autocrypt", b"two"))
    await take_in(desk, replace(PLAIN, keys=keys))
    assert [row.kind for row in await desk.rows()] == ["announce", "say", "ping"]
    assert await _keys(desk) == [(FINGERPRINT, KeyState.SEEN), (OTHER, KeyState.CHANGED)]


async def test_a_key_with_a_problem_is_kept_and_told(desk: Desk):
    await take_in(desk, PLAIN)
    again = replace(wrote(), keys=(OfferedKey(FINGERPRINT, "autocrypt", b"k", problem="revoked"),))
    await take_in(desk, again, token=await token_of(desk))
    assert await _keys(desk) == [(FINGERPRINT, KeyState.SEEN)]
    assert "but it is revoked by its owner, so no answer can be encrypted to it" in await told(desk)


async def test_a_key_in_somebody_else_s_follow_up_is_not_taken_for_the_user_s(desk: Desk):
    await take_in(desk, PLAIN)
    opened = replace(wrote(sender="eve@elsewhere.test"), keys=(OfferedKey(OTHER, "attached", b"eve"),))
    await take_in(desk, opened, token=await token_of(desk))
    assert (OTHER, KeyState.SEEN) not in await _keys(desk)


async def test_a_report_that_names_the_desk_as_its_contact_names_nobody(desk: Desk):
    report = WhisperBack("id1", "No sound", "Help+x@helproom.test")
    await take_in(desk, replace(PLAIN, whisperback=report))
    assert (await desk.look(1)).contact is None


@pytest.mark.parametrize(("address", "leaves"), [("kim@example.net", 1), ("list-request@example.net", 0)])
async def test_no_program_answers_where_a_report_names_a_program(desk: Desk, address: str, leaves: int):
    desk.config = with_replies(desk.config, first_answer="received")
    await desk.say("!template add received en We have it.")
    key = OfferedKey(FINGERPRINT, "report", b"key")
    report = WhisperBack(whisperback_id="1", contact_email=address)
    await take_in(desk, replace(PLAIN, whisperback=report, keys=(key,)))
    assert (await desk.look(1)).contact == address
    assert len(await desk.rows("mail")) == leaves


async def test_a_second_report_with_the_same_id_is_told_in_both_threads(desk: Desk):
    report = WhisperBack("40cd8f2e" * 4, "No sound", USER)
    await take_in(desk, replace(PLAIN, whisperback=report))
    await take_in(desk, replace(wrote(), whisperback=report))
    words = await told(desk)
    assert "This report's WhisperBack id came before: #1" in words
    assert "A report with the same WhisperBack id came: #2" in words


async def test_a_ciphertext_that_comes_again_from_somebody_else_is_warned_of(desk: Desk):
    await take_in(desk, replace(PLAIN, sessions=("digest",)))
    await take_in(desk, replace(wrote(), sessions=("digest",)))
    await take_in(desk, replace(wrote(number=3, sender="eve@example.net"), sessions=("other", "digest")))
    warned = [await _problems(desk, number) for number in (1, 2, 3)]
    assert warned[:2] == [warned[2], []]
    assert [each[:48] for each in warned[2]] == ["The same ciphertext came from somebody else, too"]


async def _problems(desk: Desk, number: int) -> list[str]:
    async with desk.units() as unit:
        ticket = await unit.tickets.get(number)
        assert ticket is not None
        [message] = await unit.messages.of(ticket)
        return list(json.loads(message.details or "{}")["problems"])
