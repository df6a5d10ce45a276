# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!key`: agents see a user's keys, accept or refuse them, and ask for them in the user's language."""

import datetime as dt
from typing import Any

import pytest

from desk.keys.offers import keep, offer
from desk.letters.opened import OfferedKey
from desk.outbox.posts import say_from_json
from storage.models import KeyState
from storage.sealing.vault import address_tag
from tests.worlds.desk import ANA, BEN, USER, Desk

FIRST, SECOND, THIRD = "1" * 32 + "11112222", "2" * 40, "3" * 32 + "11112222"
ASK = "!template add key-ask {} {} {{fingerprint}}"


async def bring(desk: Desk, *fingerprints: str, ticket: int = 1, **facts: Any) -> None:
    """Let the user's letters bring keys."""
    for fingerprint in fingerprints:
        made = {"source": "attached", "armor": b"key", "addresses": (USER,), **facts}
        key = OfferedKey(fingerprint=fingerprint, **made)
        async with desk.units() as unit:
            await offer(
                desk.work(unit),
                await unit.tickets.get(ticket, lock=True),
                key,
                by_user=True,
            )


async def say(desk: Desk, line: str, **how: object) -> str:
    """Say something from a device that its owner has verified."""
    return await desk.say(line, **{"verified": True, **how})


async def states(desk: Desk) -> dict[str, KeyState]:
    async with desk.units() as unit:
        return {key.fingerprint: key.state for key in await unit.keys.of(address_tag(unit.vault, USER))}


@pytest.mark.parametrize("command", ["!key accept", "!key refuse"])
async def test_without_a_key_there_is_nothing_to_decide(desk: Desk, command: str):
    await desk.ticket()
    words = "No public key of this user is known. `!key ask` asks them for one."
    assert await say(desk, command, ticket=1) == words
    assert await say(desk, "!key show", ticket=1) == words


async def test_a_key_is_shown_with_all_that_is_known_of_it_and_no_address(desk: Desk):
    await desk.ticket()
    now = desk.clock.now
    made, ends = now - dt.timedelta(days=100), now + dt.timedelta(days=1)
    facts: dict[str, Any] = {"algorithm": "RSA 4096", "created_at": made, "addresses": (USER,)}
    await bring(desk, FIRST, expires_at=ends, prefers_encryption=True, **facts)
    desk.clock.pass_by(days=2)
    await bring(desk, FIRST, source="autocrypt")
    assert (await say(desk, "!keys", ticket=1)).splitlines()[:-2] == [
        "Public keys of this user: 1 key. State: expired.",
        "",
        "1111 1111 1111 1111 1111 1111 1111 1111 1111 2222 — answers are encrypted to this one",
        "  EXPIRED: nothing can be encrypted to it any more; the first that came; nobody has compared it",
        "  RSA 4096, made 2025-11-22, expired 2026-03-03",
        "  first seen 2026-03-02 in an attachment, ticket 1",
        "  last seen 2026-03-04, brought by 2 letters of the user",
        "  The user's mail program asks for encrypted answers.",
    ]
    assert USER not in await say(desk, "!key show", ticket=1)


async def test_several_keys_are_shown_with_what_is_odd_and_who_decided(desk: Desk):
    await desk.ticket()
    await bring(desk, FIRST, SECOND, source="autocrypt", addresses=())
    await say(desk, f"!key accept {SECOND}", ticket=1, by=BEN)
    shown = await say(desk, "!key show", ticket=1)
    assert "2 keys. State: pinned." in shown
    assert shown.count("does not name the user's address") == 2
    assert f"accepted\n  decided by {BEN} on 2026-03-02" in shown
    assert "replaced by another; not used" in shown
    assert "unknown algorithm, made at an unknown time, without end" in shown
    assert shown.endswith("`!key ask` asks the user.")


async def test_the_one_key_is_accepted_without_typing_its_digits(desk: Desk):
    await desk.ticket()
    await bring(desk, FIRST)
    assert (await say(desk, "!key accept", ticket=1)).startswith(
        "Accepted: answers to this user are encrypted"
    )
    assert await states(desk) == {FIRST: KeyState.PINNED}
    assert await say(desk, "!key accept 11112222", ticket=1) == "This key is accepted already."
    operators = [say_from_json(row.payload).text for row in await desk.rows("say")]
    assert operators == [f"{ANA} accepted a public key in ticket 1."]


async def test_of_several_keys_the_digits_must_be_typed(desk: Desk):
    await desk.ticket()
    await bring(desk, FIRST, SECOND, THIRD)
    lines = {
        "!key accept": "There are 3 keys to choose from",
        "!key accept 2222222": "“2222222” is not the end of a fingerprint",
        "!key accept notdigits": "“notdigits” is not the end of a fingerprint",
        "!key accept 11112222": "Several keys end like this",
        "!key accept 99999999": "No key of this user ends like this",
        "!key accept 0x22222222": "Accepted: ",
        f"!key refuse {FIRST[:20]} {FIRST[20:]}": "Refused: 1111 1111",
        "!key refuse": "Refused: 3333 3333",
    }
    for line, answer in lines.items():
        assert (await say(desk, line, ticket=1)).startswith(answer), line
    assert await states(desk) == {FIRST: KeyState.REFUSED, SECOND: KeyState.PINNED, THIRD: KeyState.REFUSED}
    assert (await say(desk, "!key refuse", ticket=1)).startswith("No key waits for your word.")
    assert await say(desk, f"!key refuse {FIRST}", ticket=1) == "This key is refused already."


async def test_accepting_another_key_replaces_the_one_before_and_can_be_undone(desk: Desk):
    await desk.ticket()
    await bring(desk, FIRST, SECOND)
    await say(desk, f"!key accept {SECOND}", ticket=1)
    assert await states(desk) == {FIRST: KeyState.REPLACED, SECOND: KeyState.PINNED}
    await say(desk, f"!key accept {FIRST}", ticket=1)
    assert await states(desk) == {FIRST: KeyState.PINNED, SECOND: KeyState.REPLACED}


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"problem": "revoked"}, "is revoked by its owner"),
        ({"problem": "unusable"}, "is not made for encryption"),
        ({"expires_at": dt.datetime(2026, 3, 1, tzinfo=dt.UTC)}, "has expired"),
    ],
)
async def test_a_key_that_cannot_be_used_is_not_accepted(desk: Desk, facts: dict, why: str):
    await desk.ticket()
    await bring(desk, FIRST, **facts)
    answer = await say(desk, "!key accept", ticket=1)
    assert answer.startswith("Not accepted: ")
    assert why in answer
    assert await states(desk) == {FIRST: KeyState.SEEN}


async def test_a_refused_key_is_never_used_also_if_it_comes_again(desk: Desk):
    await desk.ticket(confidential=True)
    await bring(desk, FIRST)
    await say(desk, "!key refuse", ticket=1)
    await bring(desk, FIRST)
    assert await states(desk) == {FIRST: KeyState.REFUSED}
    assert (await say(desk, "!reply Hello", ticket=1)).startswith("Not sent: of the public keys that came")
    assert not await desk.rows("preview", "mail")


async def test_a_decision_counts_for_all_tickets_of_the_user(desk: Desk):
    await desk.ticket(confidential=True)
    await desk.ticket(confidential=True)
    await bring(desk, FIRST, SECOND)
    await say(desk, f"!key accept {SECOND}", ticket=1)
    await say(desk, "!reply Hello", ticket=2)
    [row] = await desk.rows("preview")
    assert "encrypted to the user's key 2222 2222" in say_from_json(row.payload).text


async def test_asking_needs_a_template_as_there_are_no_words_in_the_code(desk: Desk):
    await desk.ticket()
    assert (await say(desk, "!key ask", ticket=1)).startswith("There is no template “key-ask” yet")
    assert not await desk.rows("preview")


async def test_asking_is_a_mail_in_the_user_s_language_about_the_key_that_waits(desk: Desk):
    await desk.ticket(language="fr")
    await say(desk, ASK.format("en", "Yours?"))
    await say(desk, ASK.format("fr", "La vôtre ?"))
    await bring(desk, FIRST)
    texts = []
    for line in ("!key ask", "!key ask À bientôt."):
        await say(desk, line, ticket=1)
        texts.append((await desk.messages(1))[-1].text)
        await say(desk, "!cancel", ticket=1)
        await bring(desk, SECOND)
    assert texts == [f"La vôtre ? {FIRST}", f"La vôtre ? {SECOND}\n\nÀ bientôt."]
    assert len(await desk.rows("preview")) == 2


async def test_asking_for_a_first_key_names_none(desk: Desk):
    await desk.ticket()
    await say(desk, ASK.format("en", "Please send one:"))
    await say(desk, "!key ask", ticket=1)
    assert (await desk.messages(1))[-1].text == "Please send one: -"


CLEAR = "!template add key-ask-clear {} {}"


async def test_asking_where_nothing_can_be_encrypted_needs_a_verified_device(desk: Desk):
    await desk.ticket(confidential=True)
    await say(desk, ASK.format("en", "Yours?"))
    await say(desk, CLEAR.format("en", "Please send your public key."))
    refused = await say(desk, "!key ask", ticket=1, verified=False)
    assert refused.startswith("Not sent: this ticket is confidential")
    await bring(desk, FIRST, expires_at=desk.clock.now)
    refused = await say(desk, "!key ask", ticket=1, verified=False)
    assert refused.startswith("Not sent: the user's public key has expired")
    assert refused.endswith("To ask for a key in clear, use a device that you have verified.")
    assert not await desk.rows("preview", "mail")


async def test_asking_in_clear_sends_fixed_words_and_tells_everybody(desk: Desk):
    await desk.ticket("Please send your public key.", confidential=True, language="fr", subject="My flat")
    await say(desk, CLEAR.format("en", "Please send your public key."))
    await say(desk, CLEAR.format("fr", "Votre clé publique, s'il vous plaît. {role}"))
    await say(desk, "!template add signature fr {role}")
    assert await say(desk, "!key ask", ticket=1) == ""
    draft = (await desk.messages(1))[-1]
    assert draft.subject == "[#1] Help desk"
    assert draft.text == "Votre clé publique, s'il vous plaît. Help desk\n\n-- \nHelp desk"
    [preview] = await desk.rows("preview")
    assert "NOT encrypted, as an agent asked for (!key ask)" in preview.payload
    told = [say_from_json(row.payload).text for row in await desk.rows("say")]
    assert [each.startswith(f"{ANA} asked to answer ticket 1 IN CLEAR (`!key ask`)") for each in told] == [
        True
    ] * 2
    await bring(desk, FIRST)
    assert "meanwhile there is a key" in await say(desk, "!send", ticket=1)
    assert not await desk.rows("mail")


@pytest.mark.parametrize(
    ("template", "said", "why"),
    [
        (None, "!key ask", "`!template add key-ask-clear en …`"),
        ("Please send a key for {ticket}.", "!key ask", "has a variable that nothing fills: ticket"),
        ("Is it {fingerprint}?", "!key ask", "has a variable that nothing fills: fingerprint"),
        ("Please send a key.", "!key ask You wrote of a flat.", "only the text of the template"),
    ],
)
async def test_asking_in_clear_sends_nothing_of_the_ticket(
    desk: Desk, template: str | None, said: str, why: str
):
    await desk.ticket(confidential=True)
    if template is not None:
        await say(desk, CLEAR.format("en", template))
    assert why in await say(desk, said, ticket=1)
    assert not await desk.rows("preview", "mail")


async def test_what_needs_no_override_is_asked_for_as_ever(desk: Desk):
    await desk.ticket()
    await say(desk, ASK.format("en", "Please send one:"))
    assert await say(desk, "!key ask", ticket=1, verified=False) == ""
    assert not await desk.rows("say")


async def test_a_key_of_unknown_source_is_shown_all_the_same(desk: Desk):
    await desk.ticket()
    async with desk.units() as unit:
        key = OfferedKey(FIRST, "imported", b"key")
        await keep(desk.work(unit), address_tag(unit.vault, USER), key, KeyState.PINNED)
    shown = await say(desk, "!key show", ticket=1)
    assert "first seen 2026-03-02 in a sysadmin's import\n" in shown
    assert "brought by 0 letters" in shown


async def test_a_key_is_accepted_from_verified_devices_only(desk: Desk):
    await desk.ticket()
    await bring(desk, FIRST)
    assert "needs a device that you have verified" in await say(desk, "!key accept", ticket=1, verified=False)
    assert await states(desk) == {FIRST: KeyState.SEEN}


async def test_forgotten_keys_are_gone_and_no_mail_leaves_in_clear_for_it(desk: Desk):
    await desk.ticket()
    await desk.ticket()
    await bring(desk, FIRST, SECOND)
    assert "needs a device that you have verified" in await desk.say("!key forget", ticket=1)
    said = await say(desk, "!key forget", ticket=1)
    assert said.startswith("Forgotten: 2 keys. While no other key of this user can be used, no answer leaves")
    assert await states(desk) == {}
    for ticket in (1, 2):
        assert "were forgotten, and none has come since" in await say(desk, "!key show", ticket=ticket)
        refused = await say(desk, "!reply Hello.", ticket=ticket)
        assert refused.startswith("Not sent: a public key of the user was known once and was forgotten")
    told = [say_from_json(row.payload).text for row in await desk.rows("say")]
    assert f"{ANA} had 2 public keys forgotten in ticket 1." in told
    assert (await say(desk, "!key forget", ticket=1)).startswith("No public key of this user is known, so")


async def test_one_key_of_several_is_forgotten_by_its_digits(desk: Desk):
    await desk.ticket()
    await bring(desk, FIRST, SECOND)
    assert (await say(desk, f"!key forget {SECOND[-8:]}", ticket=1)).startswith("Forgotten: 1 key.")
    assert await states(desk) == {FIRST: KeyState.SEEN}
    assert "No key of this user ends like this" in await say(desk, "!key forget 99999999", ticket=1)


async def test_a_forgotten_key_that_comes_again_counts_as_the_first_and_is_told(desk: Desk):
    await desk.ticket()
    await bring(desk, FIRST)
    await say(desk, "!key refuse", ticket=1)
    await say(desk, "!key forget", ticket=1)
    before = len(await desk.rows("say"))
    await bring(desk, FIRST)
    assert await states(desk) == {FIRST: KeyState.SEEN}
    [row] = (await desk.rows("say"))[before:]
    assert "the first since those known before were forgotten" in say_from_json(row.payload).text
    await say(desk, "!key forget", ticket=1)
    await bring(desk, SECOND)
    assert await states(desk) == {SECOND: KeyState.SEEN}


async def test_a_ticket_without_a_contact_has_nothing_to_forget(desk: Desk):
    await desk.ticket(contact=None)
    assert (await say(desk, "!key forget", ticket=1)).startswith("No public key of this user is known, so")


@pytest.mark.parametrize("what", ["show", "accept", "refuse", "ask", "ask Please."])
async def test_of_a_user_without_an_address_nobody_is_told_to_ask_for_a_key(desk: Desk, what: str):
    number = await desk.ticket(contact=None, confidential=True)
    said = await desk.say(f"!key {what}", ticket=number, verified=True)
    assert said == "The user left no address: no key can be theirs, and nobody can be asked for one."
