# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `!recheck` changes in a ticket, and what it leaves alone."""

from dataclasses import replace

import pytest

from desk.intake import steps
from desk.intake.recheck import RECHECK, conclude, named, tell_of_new_key
from desk.keys.offers import keep
from desk.letters.opened import Encryption, EncryptionState, Headers, OfferedKey, Opened, WhisperBack
from desk.outbox.posts import say_from_json
from desk.tickets.details import LetterDetails
from storage.models import KeyState, OutboxState
from storage.queries.letters import IncomingMail
from storage.sealing.vault import address_tag
from tests.worlds.desk import BEN, CONFIG, USER, Desk

SHUT = Opened(
    "pgp/mime encrypted",
    Encryption(EncryptionState.UNDECRYPTABLE),
    Headers(subject="...", sender=USER, message_id="<1@example.org>"),
    "",
)
OPEN = replace(SHUT, encryption=Encryption(EncryptionState.OK), text="Words.")


async def came(desk: Desk, opened: Opened = SHUT, *, token: str | None = None) -> None:
    """Take a letter in."""
    async with desk.units() as unit:
        raw = opened.headers.message_id.encode()
        number = await unit.letters.keep(
            IncomingMail("en", USER, token, raw), ref=desk.world.token(), at=desk.clock.now, source="lmtp"
        )
        letter = await unit.letters.get(number)
        await steps.take_in(desk.work(unit), letter, opened)


async def recheck(desk: Desk, *found: Opened | str) -> list[str]:
    """Say `!recheck`, let the letters turn out to hold this, and return what was said then."""
    await desk.say("!recheck", ticket=1)
    before = len(await desk.rows("say"))
    for row, opened in zip(await desk.rows(RECHECK), found, strict=True):
        async with desk.units() as unit:
            await conclude(desk.work(unit), row.id, row.message_id, opened)
    return [say_from_json(row.payload).text for row in (await desk.rows("say"))[before:]]


async def test_without_a_letter_there_is_nothing_to_open(desk: Desk):
    await desk.ticket()
    assert (await desk.say("!recheck", ticket=1)).startswith("No letter of ticket 1 is kept (any more)")
    assert not await desk.rows(RECHECK)


async def test_each_letter_of_the_ticket_is_opened_again(desk: Desk):
    await came(desk)
    assert (await desk.say("!recheck", ticket=1)).startswith("1 letter is opened again")
    token = desk.units.vault.reply_token((await desk.look(1)).ref)
    await came(desk, replace(OPEN, headers=replace(OPEN.headers, message_id="<2@example.org>")), token=token)
    assert (await desk.say("!recheck", ticket=1)).startswith("2 letters are opened again")


async def test_what_opens_is_kept_and_must_be_read_before_an_answer_leaves(desk: Desk):
    await came(desk)
    await desk.say("!show", ticket=1)
    key = OfferedKey("1" * 40, "autocrypt", b"key")
    [told] = await recheck(desk, replace(OPEN, keys=(key,)))
    assert told.endswith("Encrypted. Read it with `!show`.")
    ticket, [message] = await desk.look(1), await desk.messages(1)
    assert (message.text, ticket.encryption, ticket.read_up_to) == ("Words.", "ok", message.id - 1)
    assert [row.kind for row in await desk.rows("announce.edit")] == ["announce.edit"]
    async with desk.units() as unit:
        [kept] = await unit.keys.of(address_tag(unit.vault, USER))
        assert kept.fingerprint == "1" * 40


async def test_a_follow_up_that_opens_leaves_the_ticket_s_facts_alone_but_not_its_secrecy(desk: Desk):
    await came(desk, replace(SHUT, encryption=Encryption(EncryptionState.NONE), text="Hello."))
    token = desk.units.vault.reply_token((await desk.look(1)).ref)
    second = replace(SHUT, headers=replace(SHUT.headers, message_id="<2@example.org>"))
    await came(desk, second, token=token)
    first = replace(SHUT, encryption=Encryption(EncryptionState.NONE), text="Hello.")
    told = await recheck(desk, first, replace(OPEN, headers=second.headers))
    assert "nothing new. Not encrypted." in told[0]
    assert (await desk.messages(1))[1].text == "Words."
    ticket = await desk.look(1)
    assert (ticket.encryption, ticket.confidential) == ("none", True)


async def test_what_cannot_be_opened_is_told_and_changes_nothing(desk: Desk):
    await came(desk, OPEN)
    assert "nothing new. Encrypted, cannot be opened." in (await recheck(desk, SHUT))[0]
    assert (await recheck(desk, "It is too deep."))[0].endswith("opened again: It is too deep.")
    assert [(each.text) for each in await desk.messages(1)] == ["Words."]


async def test_a_ciphertext_that_only_a_recheck_opens_is_known_from_somebody_else(desk: Desk):
    await came(desk)
    opened = replace(OPEN, sessions=("digest",))
    others = Headers(subject="...", sender="else@example.org", message_id="<2@example.org>")
    await came(desk, replace(opened, headers=others))
    await recheck(desk, opened)
    details = LetterDetails.load((await desk.messages(1))[0])
    assert details.replayed
    assert [each[:40] for each in details.problems] == ["The same ciphertext came from somebody else"[:40]]


@pytest.mark.parametrize("address", ["kim@example.net", None])
async def test_a_report_that_opens_says_whom_to_answer(desk: Desk, address: str | None):
    await came(desk)
    report = WhisperBack(whisperback_id="abc", tails_version="6.9", contact_email=address)
    await recheck(desk, replace(OPEN, whisperback=report))
    ticket = await desk.look(1)
    assert (ticket.contact, ticket.tails_version, ticket.whisperback_id) == (address, "6.9", "abc")
    tag = address_tag(desk.units.vault, address) if address else None
    assert ticket.contact_tag == tag


async def test_an_answer_to_another_address_than_its_preview_said_does_not_leave(desk: Desk):
    await came(desk)
    report = WhisperBack(whisperback_id="abc", contact_email="kim@example.net")
    async with desk.units() as unit:
        for number, address in enumerate((USER, "kim@example.net"), start=1):
            key = OfferedKey(str(number) * 40, "attached", b"key")
            await keep(desk.work(unit), address_tag(unit.vault, address), key, KeyState.SEEN)
    await desk.say("!reply Hello", ticket=1)
    await recheck(desk, replace(OPEN, whisperback=report, sessions=("digest",)))
    assert (await desk.look(1)).contact == "kim@example.net"
    refused = "Not sent: the ticket's address is another by now than when this was written."
    assert (await desk.say("!send", ticket=1)).startswith(refused)
    assert not await desk.rows("mail")
    await desk.say("!cancel", ticket=1)
    await desk.say("!reply Hello", ticket=1)
    assert await desk.say("!send", ticket=1) == ""
    assert len(await desk.rows("mail")) == 1


async def test_a_letter_whose_list_is_known_only_now_is_its_writer_s(desk: Desk):
    from_list = replace(SHUT, headers=replace(SHUT.headers, sender="reports@lists.example"))
    await came(desk, from_list)
    inner = replace(OPEN, relayed=("Relayed by a list.",))
    await recheck(desk, inner)
    ticket = await desk.look(1)
    assert (ticket.contact, ticket.contact_tag) == (USER, address_tag(desk.units.vault, USER))


async def test_any_other_protected_sender_changes_no_contact(desk: Desk):
    await came(desk)
    await recheck(desk, replace(OPEN, headers=replace(OPEN.headers, sender="mallory@x.test")))
    assert (await desk.look(1)).contact == USER


async def test_a_follow_up_whose_list_is_known_only_now_is_the_user_s_word(desk: Desk):
    await came(desk)
    token = desk.units.vault.reply_token((await desk.look(1)).ref)
    later = replace(SHUT.headers, sender="reports@lists.example", message_id="<2@example.org>")
    await came(desk, replace(SHUT, headers=later), token=token)
    inner = replace(OPEN, headers=replace(OPEN.headers, message_id="<2@example.org>"), relayed=("Relayed.",))
    await recheck(desk, OPEN, inner)
    async with desk.units() as unit:
        assert [LetterDetails.load(await unit.messages.get(number)).from_contact for number in (1, 2)] == [
            True,
            True,
        ]


OURS = CONFIG.queues[0].address


@pytest.mark.parametrize(
    "found",
    [
        replace(OPEN, whisperback=WhisperBack(whisperback_id="abc", contact_email=OURS)),
        replace(OPEN, headers=replace(OPEN.headers, sender=OURS), relayed=("Relayed.",)),
    ],
)
async def test_the_desk_itself_is_nobody_s_contact(desk: Desk, found: Opened):
    await came(desk)
    await recheck(desk, found)
    ticket = await desk.look(1)
    assert (ticket.contact, ticket.contact_tag) == (None, None)


async def test_a_row_that_is_done_or_gone_says_nothing_more(desk: Desk):
    await came(desk)
    assert len(await recheck(desk, OPEN)) == 1
    before = len(await desk.rows("say"))
    async with desk.units() as unit:
        [row] = [each for each in await unit.outbox.in_state(OutboxState.SENT) if each.kind == RECHECK.name]
        await conclude(desk.work(unit), row.id, row.message_id, OPEN)
        await conclude(desk.work(unit), 999, row.message_id, OPEN)
    assert len(await desk.rows("say")) == before


async def test_a_row_that_is_done_keeps_neither_words_nor_key(desk: Desk):
    await came(desk)
    await recheck(desk, OPEN)
    async with desk.units() as unit:
        [row] = [each for each in await unit.outbox.in_state(OutboxState.SENT) if each.kind == RECHECK.name]
    assert (row.state, row.done_at) == (OutboxState.SENT, desk.clock.now)
    assert (row.payload_sealed, row.wrapped_key) == (None, None)


async def test_an_admin_has_all_shut_letters_opened_again(desk: Desk):
    await came(desk)
    token = desk.units.vault.reply_token((await desk.look(1)).ref)
    open_one = replace(OPEN, headers=replace(OPEN.headers, message_id="<2@example.org>"))
    await came(desk, open_one, token=token)
    shut_too = replace(SHUT, headers=replace(SHUT.headers, message_id="<3@example.org>", sender="kim@x.test"))
    await came(desk, shut_too)
    assert await desk.say("!key recheck", by=BEN, where="ops") == "`!key recheck` is for admins of this desk."
    said = await desk.say("!key recheck", where="ops")
    assert said == "Opened again in #1, #2; what comes of it is said in their threads."
    rows = await desk.rows(RECHECK)
    assert [(row.ticket_id, row.message_id) for row in rows] == [(1, 1), (2, 3)]
    for row in rows:
        async with desk.units() as unit:
            await conclude(desk.work(unit), row.id, row.message_id, OPEN)
    assert await desk.say("!key recheck", where="ops") == "No letter is kept that could not be opened."


async def test_a_letter_from_before_this_was_noted_counts_by_its_ticket(desk: Desk):
    await came(desk)
    async with desk.units() as unit:
        (await unit.messages.get(1)).encryption = None
    assert "#1" in await desk.say("!key recheck", where="ops")


async def test_operators_read_which_letters_a_new_key_may_open(desk: Desk):
    async with desk.units() as unit:
        assert await tell_of_new_key(desk.work(unit)) == []
    assert await desk.rows("say") == []
    await came(desk)
    async with desk.units() as unit:
        assert await tell_of_new_key(desk.work(unit)) == [1]
    told = say_from_json((await desk.rows("say"))[-1].payload).text
    assert told.startswith(
        "A secret key was imported. Letters of these tickets could not be opened before: #1."
    )


def test_a_long_list_of_tickets_is_cut():
    assert named(range(1, 53)).endswith("#50 and 2 more")
