# SPDX-License-Identifier: AGPL-3.0-or-later
"""Templates as people fill them, and answers that are longer than one event bears."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from desk.outbox.posts import say_from_json
from tests.worlds.desk import Desk, desk_at


@pytest.fixture(name="desk")
async def make_desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk on SQLite with a ticket: words ask no database for its dialect."""
    async with desk_at(f"sqlite+aiosqlite:///{tmp_path / 'helproom.db'}") as desk:
        await desk.ticket()
        yield desk


async def _reply(desk: Desk, line: str) -> str:
    refusal = await desk.say(line, ticket=1)
    return refusal or (await desk.messages(1))[-1].text


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("!reply hi Name=Kim", "Hi Kim!"),
        ("!reply hi name=Kim", "Hi Kim!"),
        ('!reply hi name="Kim the Kind"', "Hi Kim the Kind!"),
        ("!reply hi name=“Kim the Kind”", "Hi Kim the Kind!"),
        ('!reply hi name="Kim"\nBye.', "Hi Kim!\n\nBye."),
        ("!reply hi name=Kim nmae=Tim", "Template “hi” has no variable nmae: it has name."),
        ("!reply hi", "Template “hi” needs a value for name: `!reply hi name=…`"),
        ("!reply hi name=", "Template “hi” needs a value for name: `!reply hi name=…`"),
        ("!reply plain x=1", "Template “plain” has no variable x: it has none."),
        (
            "!reply hi name=Kim and you",
            "The first line names the template “hi”, but after it only name=value can stand.",
        ),
        (
            '!reply hi name="Kim',
            "The first line names the template “hi”, but after it only name=value can stand.",
        ),
        ("!reply hi there, all", "hi there, all"),
        ("!reply Set PATH=1", "There is no template “Set”."),
    ],
)
async def test_a_template_is_filled_as_it_was_meant_or_refused(desk: Desk, line: str, text: str):
    await desk.say("!template add hi en Hi {Name}!")
    await desk.say("!template add plain en Nothing to fill.")
    assert (await _reply(desk, line)).startswith(text)


@pytest.mark.parametrize(
    ("pairs", "line"),
    [
        ("link=https://x.test/?a=b", "link=https://x.test/?a=b name=…"),
        ('link="two words" name=', 'link="two words" name=…'),
        ('link=“two "words"”', 'link=“two "words"” name=…'),
        ("link=", "link=… name=…"),
    ],
)
async def test_a_template_that_lacks_a_value_is_refused_with_the_whole_one(desk: Desk, pairs: str, line: str):
    await desk.say("!template add two en Hi {name}, see {link}")
    for where, command in ((1, "!reply"), (None, "!reply #1")):
        refusal = await desk.say(f"{command} two {pairs}", ticket=where)
        assert refusal.endswith(f": `{command} two {line}`")
        whole = line.replace("…", "it")
        answered = await desk.say(f"{command} two {whole}", ticket=where)
        assert answered.startswith("The preview is in the thread of #1: ") if where is None else not answered
        await desk.say("!cancel", ticket=1)


async def test_a_stray_brace_is_told_to_who_writes_the_template(desk: Desk):
    for line in ("!template add odd en if (x) { y }", "!template edit odd en {} is odd"):
        await desk.say("!template add odd en Fine")
        assert "has a brace that is no variable" in await desk.say(line.replace("odd en if", "new en if"))
    assert await desk.say("!template list") == "odd: en"


LONG = "".join(f"{number} 🙂 <b>&\n" for number in range(6_000))


async def test_a_long_answer_goes_along_whole_with_its_preview(desk: Desk):
    await desk.say(f"!reply {LONG}", ticket=1)
    rows = [row for row in await desk.rows() if row.kind in {"preview", "file"}]
    assert [row.kind for row in rows] == ["file", "preview"]
    file, shown = (say_from_json(row.payload) for row in rows)
    assert file.file.text == LONG.strip()
    assert file.thread == shown.thread
    assert LONG.startswith(shown.quote)
    assert 0 < len(shown.quote) <= 4_000
    assert "The whole answer is in the file above." in shown.text


async def test_an_answer_of_a_usual_length_needs_no_file(desk: Desk):
    await desk.say(f"!reply {LONG[:3_900]}", ticket=1)
    assert not await desk.rows("file")


async def test_a_long_template_is_whole_in_a_file(desk: Desk):
    await desk.say(f"!template add long en {LONG}")
    for line in ("!template show long", "!template show long en"):
        shown = await desk.said(line)
        assert LONG.strip() in shown.file.text
        assert len(shown.quote) <= 4_000
        assert "in the file below" in shown.text


async def test_a_long_list_is_whole_in_a_file(desk: Desk):
    for _ in range(51):
        await desk.ticket()
    for line in ("!list", "!left"):
        shown = await desk.said(line)
        lines = shown.text.splitlines()
        assert lines[0].endswith(": 52")
        assert lines[-1] == "… and 2 more in the file below."
        assert len(lines) == 52
        assert shown.file.text.splitlines()[-1].startswith("#52 ")
        assert len(shown.file.text.splitlines()) == 52


async def test_a_short_list_needs_no_file(desk: Desk):
    assert (await desk.said("!list")).file is None
