# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!files` and `!file`: which files may be asked for, and how."""

import json

import pytest

from desk.tickets.details import FileDetails, LetterDetails
from desk.tickets.received_files import LARGEST, SHOW_FILE
from storage.queries.letters import IncomingMail
from tests.worlds.desk import Desk

SHOT = {"name": "shot.png", "type": "image/png", "size": 2_000}
ZIP = {"name": "all.zip", "type": "application/zip", "size": 90, "danger": "an archive"}
HUGE = {"name": "video.mp4", "type": "video/mp4", "size": LARGEST + 1}


async def with_files(desk: Desk, *letters: list[dict]) -> int:
    """Open a ticket with one message of the user for each list of files; return its number."""
    number = await desk.ticket()
    ids = [(await desk.messages(number))[0].id]
    ids += [await desk.user_writes(number, "More.") for _ in letters[1:]]
    async with desk.units() as unit:
        for at, (message_id, files) in enumerate(zip(ids, letters, strict=True)):
            message = await unit.messages.get(message_id)
            letter = await unit.letters.keep(
                IncomingMail("en", "user@example.org", None, f"raw {at}".encode()),
                ref=f"d{at}",
                at=desk.clock.now,
                source="lmtp",
            )
            message.letter_id = letter
            LetterDetails.change(message, attachments=tuple(FileDetails(**file) for file in files))
    return number


async def test_files_are_numbered_through_all_letters(desk: Desk) -> None:
    number = await with_files(desk, [SHOT], [ZIP, HUGE])
    listed = await desk.said("!files", ticket=number)
    assert [line.split(" (")[0] for line in listed.quote.split("\n")] == [
        "1  shot.png",
        "2  all.zip",
        "3  video.mp4",
    ]
    assert await desk.say(f"!file #{number} 1", where="ops") == (
        "What you asked for is shown in the thread of #1: "
        "https://matrix.to/#/!en:helproom.test/$root1?via=helproom.test"
    )
    [row] = await desk.rows(SHOW_FILE)
    assert json.loads(row.payload)["name"] == "shot.png"
    assert row.ticket_id == number


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("!file", "Something is missing: <numbers…>."),
        ("!file --dangerous", "Which file? `!files` lists them"),
        ("!file x", "“x” is not the number of a file."),
        ("!file 9", "There is no file 9: `!files` lists them, from 1 to 3."),
        ("!file 1 9", "There is no file 9"),
        ("!file 2", "File 2 is dangerous (an archive)."),
        ("!file 3", "File 3 is larger than 20.0 MB, too large for a room."),
        ("!file 1 2 3 4 5 6", "At most 5 files at a time."),
    ],
)
async def test_what_cannot_be_shown_is_refused_and_nothing_else_is_shown(
    desk: Desk, said: str, answer: str
) -> None:
    number = await with_files(desk, [SHOT], [ZIP, HUGE])
    assert (await desk.say(said, ticket=number)).startswith(answer)
    assert not await desk.rows(SHOW_FILE)


@pytest.mark.parametrize("flag", ["--dangerous", "—dangerous"])
async def test_a_dangerous_file_is_shown_when_that_is_said(desk: Desk, flag: str) -> None:
    number = await with_files(desk, [SHOT], [ZIP, HUGE])
    assert await desk.say(f"!file {flag} 2", ticket=number) == ""
    assert len(await desk.rows(SHOW_FILE)) == 1


async def test_a_ticket_without_files_says_so(desk: Desk) -> None:
    number = await desk.ticket()
    assert (await desk.say("!files", ticket=number)).startswith("No file came with")
    assert (await desk.say("!file 1", ticket=number)).startswith("Nobody has sent a file")
