# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `!show` makes of words that were written to deceive, and of too many of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from desk.tickets.details import LetterDetails
from storage.models import Side
from storage.sealing.columns import to_json
from tests.worlds.desk import ANA, Desk, desk_at


@pytest.fixture(name="desk")
async def make_desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk on SQLite: showing asks no database for its dialect."""
    async with desk_at(f"sqlite+aiosqlite:///{tmp_path / 'helproom.db'}") as desk:
        yield desk


async def _write(desk: Desk, text: str, subject: str = "Wifi", **details: object) -> None:
    number = await desk.user_writes(1, text)
    async with desk.units() as unit:
        message = await unit.messages.get(number)
        message.subject, message.details = subject, to_json(details)
        message.ticket.last_public = Side.USER


FORGED = ["\n", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("line_break", FORGED, ids=ascii)
async def test_no_header_or_file_name_forges_a_line_of_ours(desk: Desk, line_break: str):
    lie = f"x{line_break}Protection: Encrypted."
    await desk.ticket(contact=f"{lie}@example.org")
    file = {"name": lie, "type": lie, "size": 1}
    await _write(
        desk,
        "Hello",
        lie,
        protection="Not encrypted.",
        signatures=[lie],
        encryption=lie,
        problems=[lie],
        mismatch=[lie],
        attachments=[file],
    )
    shown = await desk.said("!show", ticket=1)
    lines = [line for line in shown.text.splitlines() if line.startswith("Protection")]
    assert lines == ["Protection: Not encrypted."]


async def test_a_long_subject_or_many_files_do_not_push_the_protection_out(desk: Desk):
    await desk.ticket()
    files = [{"name": "n" * 9_000, "type": "t" * 9_000, "size": 1}] * 500
    await _write(desk, "Hello", "s" * 9_000, protection="Not encrypted.", attachments=files)
    shown = await desk.said("!show", ticket=1)
    assert "\nProtection: Not encrypted." in shown.text
    assert "… and 490 more" in shown.text
    assert len(shown.text) < 4_000


async def test_words_outside_the_protection_cannot_end_their_part(desk: Desk):
    await desk.ticket()
    await desk.say("!show", ticket=1)
    lie = "Hi\n--- Encrypted and signed by the user: ---\rSend it to me\u2028=== The user ==="
    await _write(desk, "The real words.", unprotected_text=lie)
    quote = (await desk.said("!show", ticket=1)).quote
    head, _, rest = quote.partition("\n\n--- NOT encrypted or signed, anybody may have written this: ---\n")
    assert head == "The real words."
    assert len(rest.splitlines()) == 4
    assert all(line.startswith("| ") for line in rest.splitlines())


async def test_words_cannot_forge_an_entry_when_all_is_shown(desk: Desk):
    await desk.ticket(f"Hello\n\n=== Note by {ANA}, 2026-03-02 12:00 UTC ===\x85trust me")
    await desk.say("!note real", ticket=1)
    quote = (await desk.said("!show all", ticket=1)).quote
    headings = [line for line in quote.splitlines() if line.startswith("=== ")]
    assert len(headings) == 2
    assert "  trust me" in quote.splitlines()


async def test_every_message_says_for_itself_how_it_was_protected(desk: Desk):
    await desk.ticket()
    await _write(desk, "First", protection="Encrypted; BAD signature.", from_contact=False, problems=["Odd."])
    await _write(desk, "Second", protection="Encrypted.")
    first = (await desk.said("!show all", ticket=1)).quote.split("=== The user")[2]
    assert "Protection: Encrypted; BAD signature." in first
    assert "Attention: this did not come from the ticket's address." in first
    assert "Attention: Odd." in first


async def test_all_that_nobody_has_read_is_shown_and_only_that_counts_as_read(desk: Desk):
    await desk.ticket("First.")
    await desk.user_writes(1, "Second.")
    quote = (await desk.said("!show", ticket=1)).quote
    assert "First." in quote
    assert "Second." in quote
    assert (await desk.said("!show", ticket=1)).quote == "Second."


ARMOR = "mDMEZ0000BYJKwYBBAHaRw8BAQdA\n=abcd"
BEGIN, END = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"
LEFT_OUT = "[a public key, left out here]"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Hi\n{BEGIN}\nVersion: 1\n\n{ARMOR}\n{END}\nBye", f"Hi\n{LEFT_OUT}\nBye"),
        (f"> {BEGIN}\n>\n> mDMEZ0000BY\n> {END}", f"> {LEFT_OUT}"),
        (f"{BEGIN}\n\n{ARMOR}\n{END}\n" * 2, f"{LEFT_OUT}\n" * 2),
        (f"{BEGIN}\nthey come at night\n{END}", f"{BEGIN}\nthey come at night\n{END}"),
        (f"{BEGIN}\n{BEGIN}\n\n{ARMOR}\n{END}", f"{BEGIN}\n{LEFT_OUT}"),
        (f"{END} {BEGIN}", f"{END} {BEGIN}"),
        (BEGIN, BEGIN),
    ],
)
async def test_keys_are_left_out_and_nothing_can_hide_between_their_marks(desk: Desk, text: str, shown: str):
    await desk.ticket(text)
    assert (await desk.said("!show", ticket=1)).quote == shown


@pytest.mark.parametrize("text", ["🙂" * 4_001, "\n".join("x" * 41), "&" * 9_000])
async def test_what_is_cut_is_whole_in_the_file(desk: Desk, text: str):
    await desk.ticket(text)
    shown = await desk.said("!show", ticket=1)
    assert shown.file.text == text
    assert text.startswith(shown.quote)
    assert f"({len(text) - len(shown.quote)} more characters are in the file below.)" in shown.text


async def test_an_empty_letter_is_shown_as_such(desk: Desk):
    await desk.ticket("")
    assert (await desk.said("!show", ticket=1)).quote == "(no text)"


async def test_a_ticket_without_address_says_so(desk: Desk):
    await desk.ticket(contact=None)
    assert "From: nobody: the user left no address" in (await desk.said("!show", ticket=1)).text


async def test_of_all_that_was_said_the_newest_is_in_the_message_and_the_rest_in_the_file(desk: Desk):
    await desk.ticket("First. " + "\n".join(f"old {line}" for line in range(60)))
    await desk.user_writes(1, "The newest words.")
    shown = await desk.said("!show all", ticket=1)
    assert "The newest words." in shown.quote
    assert "old 1" not in shown.quote
    assert "First." in shown.file.text
    assert "The newest words." in shown.file.text
    assert "all of them are in the file" in shown.text


async def test_a_cancelled_answer_is_folded(desk: Desk):
    await desk.ticket("Hello.")
    await desk.say("!reply Words that never left.", ticket=1)
    await desk.say("!cancel", ticket=1)
    shown = (await desk.said("!show all", ticket=1)).quote
    assert "(cancelled)" in shown
    assert "(folded: it never left)" in shown
    assert "Words that never left" not in shown


async def test_a_report_begins_with_what_the_user_wrote(desk: Desk):
    report = "Subject: x\nTails-Version: 7.1\n\nWhat happened?\nThe wifi is gone.\n"
    await desk.ticket(report)
    async with desk.units() as unit:
        [message] = await unit.messages.of(await unit.tickets.get(1))
        LetterDetails.change(
            message, user_text="The wifi is gone.", to=("help@helproom.test",), sender="x@y.example"
        )
    shown = await desk.said("!show", ticket=1)
    assert shown.quote.startswith("The wifi is gone.\n\n--- The whole report")
    assert shown.quote.endswith(report)
    assert "\nSent by: x@y.example\nDate: 2026-03-02 12:00 UTC\nTo: help@helproom.test\n" in shown.text
