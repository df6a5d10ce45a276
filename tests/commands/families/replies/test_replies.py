# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answers: shown, held, sent once, and never past what the user wrote meanwhile."""

import asyncio
import datetime as dt

import pytest

from commands import react
from commands.context import Context
from desk.keys.expiry import warn_of_expiry
from desk.outbox.posts import say_from_json
from desk.replies import drafts
from desk.world import Refusal
from storage.models import OutboxState, ReplyState
from tests.worlds.desk import ANA, BEN, FINGERPRINT, USER, Desk, delivered, refused

READ_FIRST = "Not sent: the user wrote again meanwhile. Read it first"


async def _state(desk: Desk, number: int = 1) -> ReplyState:
    return (await desk.messages(number))[-1].state


async def _show_previews(desk: Desk) -> None:
    async with desk.units() as unit:
        for row in await unit.outbox.in_state(OutboxState.PENDING):
            if row.kind == "preview":
                row.state = OutboxState.SENT
                await delivered(desk.work(unit), row)


async def _end_holds(desk: Desk) -> None:
    async with desk.units() as unit:
        due = await unit.messages.due_replies(desk.clock.now)
    for message in due:
        async with desk.units() as unit:
            await drafts.end_hold(desk.work(unit), message)


async def test_a_preview_shows_recipient_protection_subject_and_text(desk: Desk):
    number = await desk.ticket()
    assert await desk.say("!reply Hello,\n\n  try this.", ticket=number) == ""
    [row] = await desk.rows("preview")
    shown = say_from_json(row.payload)
    assert shown.quote == "Hello,\n\n  try this."
    assert f"To: {USER}\n" in shown.text
    assert "From: Help desk <help@helproom.test>" in shown.text
    assert "Protection: NOT encrypted" in shown.text
    assert "Subject: Re: [#1] Wifi" in shown.text
    assert ANA not in shown.text
    assert not await desk.rows("mail")


async def test_a_preview_tells_the_key_that_protects(desk: Desk):
    number = await desk.ticket(confidential=True)
    await desk.user_has_key()
    await desk.say("!reply Hello", ticket=number)
    [row] = await desk.rows("preview")
    assert (
        f"encrypted to the user's key {FINGERPRINT[:4]} {FINGERPRINT[4:8]}" in say_from_json(row.payload).text
    )


async def test_without_a_key_a_confidential_ticket_is_not_answered(desk: Desk):
    number = await desk.ticket(confidential=True)
    answer = await desk.say("!reply Hello", ticket=number)
    assert answer.startswith("Not sent: this ticket is confidential, and no public key of the user is known.")
    assert not await desk.rows()


async def test_a_key_that_expires_during_the_hold_stops_the_answer(desk: Desk):
    number = await desk.ticket(confidential=True)
    await desk.user_has_key(expires_at=desk.clock.now + dt.timedelta(seconds=30))
    await desk.say("!reply Hello", ticket=number)
    await _show_previews(desk)
    desk.clock.pass_by(seconds=61)
    await _end_holds(desk)
    assert not await desk.rows("mail")
    [told] = await desk.rows("say")
    assert "the user's public key has expired" in told.payload
    assert await _state(desk) is ReplyState.STALE


async def test_an_answer_is_refused_when_the_user_wrote_after_it_was_begun(desk: Desk):
    number = await desk.ticket()
    desk.clock.pass_by(hours=1)
    begun = desk.clock.now
    desk.clock.pass_by(seconds=5)
    await desk.user_writes(number, "Never mind.")
    desk.clock.now = begun
    assert (await desk.say("!reply Hello", ticket=number)).startswith(READ_FIRST)
    await desk.say("!show", ticket=number)
    assert await desk.say("!reply Hello", ticket=number) == ""


async def test_after_the_user_wrote_a_held_answer_leaves_only_when_that_was_read(desk: Desk):
    number = await desk.ticket()
    await desk.say("!reply Hello", ticket=number)
    desk.clock.pass_by(seconds=10)
    await desk.user_writes(number, "Never mind.")
    assert (await desk.say("!send", ticket=number)).startswith(READ_FIRST)
    assert not await desk.rows("mail")
    assert (await desk.said("!show", ticket=number)).quote.endswith("Never mind.")
    assert await desk.say("!send", ticket=number) == ""
    assert len(await desk.rows("mail")) == 1


async def test_after_the_user_wrote_the_end_of_the_hold_keeps_the_answer_and_says_so_once(desk: Desk):
    number = await desk.ticket()
    await desk.say("!reply Hello", ticket=number)
    await _show_previews(desk)
    await desk.user_writes(number, "Never mind.")
    desk.clock.pass_by(seconds=61)
    for _ in range(2):
        await _end_holds(desk)
    assert not await desk.rows("mail")
    [told] = await desk.rows("say")
    assert READ_FIRST in told.payload
    assert (await desk.say("!close", ticket=number)).startswith("An answer in this ticket has not left yet")
    assert await desk.say("!cancel", ticket=number) == "Cancelled: the answer will not be sent."
    assert await desk.say("!close", ticket=number) == f"Ticket {number} is closed."


async def test_a_cancelled_answer_never_leaves(desk: Desk):
    number = await desk.ticket()
    await desk.say("!reply Hello", ticket=number)
    await _show_previews(desk)
    await desk.say("!cancel", ticket=number)
    desk.clock.pass_by(seconds=61)
    await _end_holds(desk)
    assert await desk.say("!send", ticket=number) == f"No answer is held in ticket {number}."
    assert not await desk.rows("mail")
    assert await _state(desk) is ReplyState.CANCELLED


async def test_the_end_of_the_hold_sends_once(desk: Desk):
    number = await desk.ticket()
    await desk.say("!reply Hello", ticket=number)
    await _show_previews(desk)
    desk.clock.pass_by(seconds=59)
    await _end_holds(desk)
    assert not await desk.rows("mail")
    desk.clock.pass_by(seconds=1)
    for _ in range(2):
        await _end_holds(desk)
    [mail] = await desk.rows("mail")
    assert await _state(desk) is ReplyState.LEAVING
    assert mail.message_id == (await desk.messages(number))[-1].id


async def test_a_hold_that_began_anew_meanwhile_does_not_end(desk: Desk):
    number = await desk.ticket()
    await desk.say("!reply Hello", ticket=number)
    await _show_previews(desk)
    desk.clock.pass_by(seconds=60)
    async with desk.units() as unit:
        [due] = await unit.messages.due_replies(desk.clock.now)
    async with desk.units() as unit:
        (await unit.messages.get(due)).hold_until = desk.clock.now + dt.timedelta(seconds=1)
    async with desk.units() as unit:
        await drafts.end_hold(desk.work(unit), due)
    assert await _state(desk) is ReplyState.HELD


async def test_the_hold_begins_when_the_preview_can_be_seen(desk: Desk):
    number = await desk.ticket()
    await desk.say("!reply Hello", ticket=number)
    desk.clock.pass_by(hours=2)
    await _end_holds(desk)
    assert await _state(desk) is ReplyState.HELD
    await _show_previews(desk)
    desk.clock.pass_by(seconds=59)
    await _end_holds(desk)
    assert await _state(desk) is ReplyState.HELD
    desk.clock.pass_by(seconds=1)
    await _end_holds(desk)
    assert await _state(desk) is ReplyState.LEAVING


async def test_an_answer_whose_preview_cannot_be_shown_stays_and_that_is_told(desk: Desk):
    number = await desk.ticket()
    await desk.say("!reply Hello", ticket=number)
    async with desk.units() as unit:
        [row] = [each for each in await unit.outbox.in_state(OutboxState.PENDING) if each.kind == "preview"]
        row.state, row.error = OutboxState.PARKED, "no such room"
        assert not await refused(desk.work(unit), row)
    assert await _state(desk) is ReplyState.STALE
    [told] = await desk.rows("say")
    assert "the preview of the answer could not be shown (no such room)" in told.payload
    assert await desk.say("!send", ticket=number) == ""


async def test_sending_cancelling_and_the_end_of_the_hold_at_once_have_one_effect(desk: Desk):
    number = await desk.ticket()
    await desk.say("!reply Hello", ticket=number)
    await _show_previews(desk)
    message = (await desk.messages(number))[-1].id
    desk.clock.pass_by(seconds=61)

    async def hold_ends() -> None:
        async with desk.units() as unit:
            await drafts.end_hold(desk.work(unit), message)

    send, cancel = (desk.say(line, by=BEN, ticket=number) for line in ("!send", "!cancel"))
    await asyncio.gather(send, hold_ends(), cancel, desk.say("!send", ticket=number), hold_ends())
    state, mails = await _state(desk), await desk.rows("mail")
    assert (state, len(mails)) in {(ReplyState.LEAVING, 1), (ReplyState.CANCELLED, 0)}


async def test_of_two_answers_at_once_one_is_held(desk: Desk):
    number = await desk.ticket()
    answers = await asyncio.gather(
        *(desk.say(f"!reply From {by}", by=by, ticket=number) for by in (ANA, BEN))
    )
    assert sorted(answers) == ["", "An answer in this ticket is still held: `!send` or `!cancel` it first."]
    assert len(await desk.rows("preview")) == 1


async def _button(desk: Desk, key: str, by: str) -> None:
    async with desk.units() as unit:
        [preview] = [row for row in await unit.outbox.in_state(*OutboxState) if row.kind == "preview"]
        preview.event_id = "$preview"
        room = await unit.rooms.of_queue("en")
        await react(Context(desk.pressed(key, "$preview", sender=by), room, desk.work(unit)))


@pytest.mark.parametrize(
    ("key", "by", "state"),
    [
        ("✅", ANA, ReplyState.LEAVING),
        ("❌", BEN, ReplyState.CANCELLED),
        ("👍", BEN, ReplyState.HELD),
    ],
)
async def test_buttons_of_a_preview_do_what_the_commands_do(desk: Desk, key: str, by: str, state: ReplyState):
    await desk.ticket()
    await desk.say("!reply Hello", ticket=1)
    await _button(desk, key, by)
    assert await _state(desk) is state


async def test_a_button_sends_nobody_elses_answer(desk: Desk):
    await desk.ticket()
    await desk.say("!reply Hello", ticket=1)
    with pytest.raises(Refusal, match=r"✅ sends only one's own answer; `!send` sends this one\."):
        await _button(desk, "✅", BEN)
    assert await _state(desk) is ReplyState.HELD
    await desk.say("!send", ticket=1, by=BEN)
    assert await _state(desk) is ReplyState.LEAVING


VERBATIM = "Hallo,\n\n\tif you're  sure:\n    sudo -i\n\n!close 1\n@room <b>&amp;</b>\n-- \nA."


async def test_the_whole_text_is_taken_as_it_was_typed(desk: Desk):
    await desk.ticket()
    await desk.say(f"!reply {VERBATIM}", ticket=1)
    assert (await desk.messages(1))[-1].text == VERBATIM
    assert (await desk.look(1)).closed_at is None


async def test_text_on_the_next_line_keeps_its_first_indentation(desk: Desk):
    await desk.ticket()
    await desk.say("!reply\n    sudo -i\nand again", ticket=1)
    assert (await desk.messages(1))[-1].text == "    sudo -i\nand again"


async def test_a_ticket_without_address_cannot_be_answered(desk: Desk):
    await desk.ticket(contact=None)
    assert (await desk.say("!reply Hello", ticket=1)).startswith("The user left no address")


async def _texts(desk: Desk, lines: list[str]) -> list[str]:
    found = []
    for line in lines:
        refusal = await desk.say(line, ticket=1)
        message = (await desk.messages(1))[-1]
        found.append(refusal or message.text)
        if not refusal:
            await desk.say("!cancel", ticket=1)
    return found


async def test_a_template_is_filled_from_ticket_house_and_pairs(desk: Desk):
    await desk.ticket(tails_version="6.10")
    await desk.say("!template add known en Ticket {ticket}, Tails {version}: {link} {site} {{brace}")
    lines = [
        "!reply known link=https://x.test/?a=b",
        "!reply KNOWN link=1\nBelow, don't {fill} this.",
        "!reply known",
        "!reply knwn link=1",
        "!reply known issue then",
    ]
    assert await _texts(desk, lines) == [
        "Ticket 1, Tails 6.10: https://x.test/?a=b https://example.org {brace}",
        "Ticket 1, Tails 6.10: 1 https://example.org {brace}\n\nBelow, don't {fill} this.",
        "Template “known” needs a value for link: `!reply known link=…`",
        "There is no template “knwn”. Did you mean “known”?",
        "known issue then",
    ]


async def test_a_stray_brace_in_a_template_is_named(desk: Desk):
    await desk.ticket()
    async with desk.units() as unit:
        await unit.templates.write("odd", "en", "if (x) { y }")
    assert "has a brace that is no variable" in await desk.say("!reply odd", ticket=1)


@pytest.mark.parametrize(
    ("language", "variants", "text"),
    [
        ("pt-br", ("en", "pt", "pt-br"), "pt-br"),
        ("pt-br", ("en", "pt"), "pt"),
        ("pt-br", ("en", "fr"), "en"),
        ("fr", ("en", "fr"), "fr"),
        ("de", ("fr",), "Template “wifi” has no text in de or en, only in fr."),
    ],
)
async def test_a_template_falls_back_from_language_to_language(
    desk: Desk, language: str, variants: tuple[str, ...], text: str
):
    await desk.ticket(language=language)
    for each in variants:
        await desk.say(f"!template add wifi {each} {each}")
    assert await _texts(desk, ["!reply wifi"]) == [text]


async def test_templates_are_changed_shown_and_removed(desk: Desk):
    assert (await desk.say("!templates")).startswith("There is no template yet.")
    await desk.say("!template add wifi en One\n  two")
    await desk.say("!t add Wifi fr Un")
    assert await desk.say("!template list") == "wifi: en, fr"
    assert (await desk.said("!template show wifi en")).quote == "One\n  two"
    await desk.say("!template edit wifi en Three")
    assert (await desk.said("!template show wifi")).quote == "[en]\nThree\n\n[fr]\nUn"
    await desk.say("!template remove wifi fr")
    assert await desk.say("!template list") == "wifi: en"
    await desk.say("!template remove wifi en")
    assert (await desk.say("!template list")).startswith("There is no template yet.")


async def test_a_preview_says_that_the_queues_key_has_expired(desk: Desk):
    number = await desk.ticket()
    ends = {desk.config.queues[0].fingerprint: desk.clock.now - dt.timedelta(days=1)}
    async with desk.units() as unit:
        await warn_of_expiry(desk.work(unit), ends)
    await desk.say("!reply Hello", ticket=number)
    [row] = await desk.rows("preview")
    assert "Attention: the OpenPGP key of the queue “en” has expired" in say_from_json(row.payload).text


async def test_a_preview_says_nothing_of_a_key_that_is_valid(desk: Desk):
    number = await desk.ticket()
    ends = {desk.config.queues[0].fingerprint: desk.clock.now + dt.timedelta(days=1)}
    async with desk.units() as unit:
        await warn_of_expiry(desk.work(unit), ends)
    await desk.say("!reply Hello", ticket=number)
    [row] = await desk.rows("preview")
    assert "Attention" not in say_from_json(row.payload).text
