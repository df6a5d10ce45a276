# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters out of a Maildir on this machine."""

import asyncio
import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from mail.inbound.mailbox import MailboxTrouble, Waiting
from mail.inbound.maildir import Maildir, MaildirPlace
from mail.limits import LETTER_BYTES
from tests.mail.mailboxes import NOON, Shelf, fetching, letter


@pytest.fixture
def box(tmp_path: Path) -> Path:
    for part in ("new", "cur", "tmp"):
        (tmp_path / "box" / part).mkdir(parents=True)
    return tmp_path / "box"


@pytest.fixture
def log() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


def put(box: Path, name: str, raw: bytes, *, at: int = 0) -> None:
    """Deliver as a mail server does: written in tmp/, then moved."""
    (box / "tmp" / name).write_bytes(raw)
    os.utime(box / "tmp" / name, (at, at))
    (box / "tmp" / name).rename(box / "new" / name)


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()} if folder.exists() else set()


def maildir(box: Path, **otherwise: Any) -> Maildir:
    return Maildir(MaildirPlace(box, poll=0.01, **otherwise))


async def test_letters_are_kept_oldest_first_and_moved(box: Path) -> None:
    put(box, "b.host", letter("first").replace(b"\r\n", b"\n"), at=1)
    put(box, "a.host", letter("second"), at=2)
    (box / "tmp" / "half").write_bytes(letter("half written"))
    (box / "cur" / "old:2,S").write_bytes(letter("read by somebody"))
    async with fetching(maildir(box)) as going:
        await going.until(lambda: going.rounds)
        put(box, "c.host", letter("third"))
        await going.until(lambda: "third" in going.shelf.subjects)
        await going.until(lambda: not names(box / "new"))
    assert [one.raw.splitlines()[4] for one in going.shelf.kept] == [
        b"Subject: first",
        b"Subject: second",
        b"Subject: third",
    ]
    assert b"\r" not in going.shelf.kept[0].raw
    assert names(box / ".Processed" / "cur") == {"a.host:2,S", "b.host:2,S", "c.host:2,S"}
    assert (names(box / "tmp"), names(box / "cur")) == ({"half"}, {"old:2,S"})


@pytest.mark.parametrize(("processed", "left"), [("", {"a.host:2,S"}), (None, set())])
async def test_letters_can_stay_as_read_or_be_deleted(
    box: Path, processed: str | None, left: set[str]
) -> None:
    put(box, "a.host", letter("one"))
    async with fetching(maildir(box, processed=processed)) as going:
        await going.until(lambda: going.rounds)
    assert (names(box / "new"), names(box / "cur")) == (set(), left)
    assert names(box / ".Processed") == set()


async def test_what_is_no_letter_is_not_touched(box: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(letter("elsewhere"))
    (box / "new" / "link").symlink_to(secret)
    os.mkfifo(box / "new" / "pipe")
    (box / "new" / "folder").mkdir()
    (box / "new" / ".hidden").write_bytes(letter("hidden"))
    async with fetching(maildir(box)) as going:
        await going.until(lambda: going.rounds)
    assert going.shelf.kept == []
    assert names(box / "new") == {"link", "pipe", "folder", ".hidden"}


async def test_a_letter_that_becomes_a_link_is_not_followed(box: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(letter("elsewhere"))
    put(box, "a.host", letter("one"))
    there = maildir(box)
    there.open()
    [waiting] = there.waiting()
    (box / "new" / "a.host").unlink()
    (box / "new" / "a.host").symlink_to(secret)
    there.waiting = lambda: [waiting]
    async with fetching(there) as going:
        await going.until(lambda: going.pulse.trouble)
    assert going.shelf.kept == []


async def test_refused_letters_go_to_quarantine(box: Path) -> None:
    put(box, "bomb", letter("bomb", body=b"x" * LETTER_BYTES))
    put(box, "stray", letter("stray", to="nobody@desk.example"))
    async with fetching(maildir(box, processed=None)) as going:
        await going.until(lambda: going.rounds)
    assert sorted(one.reason for one in going.shelf.refused) == [
        "it has 25.0 MB, and 25 MB are the limit",
        "it is for none of the queues' addresses",
    ]
    assert names(box / ".Quarantined" / "cur") == {"bomb", "stray"}


async def test_no_letter_overwrites_another(box: Path) -> None:
    put(box, "a.host", letter("one"))
    there = maildir(box)
    there.open()
    (box / ".Processed" / "cur" / "a.host:2,S").write_bytes(b"another")
    async with fetching(there) as going:
        await going.until(lambda: "is there already" in going.pulse.trouble)
        await asyncio.sleep(0.1)
    assert going.shelf.subjects == ["one"]
    assert (box / ".Processed" / "cur" / "a.host:2,S").read_bytes() == b"another"


async def test_a_letter_that_always_fails_is_not_hidden_by_those_behind_it(box: Path) -> None:
    put(box, "a", letter("poison"), at=1)
    put(box, "b", letter("one"), at=2)
    calls: list[None] = []
    shelf = Shelf(poison=b"poison", before=lambda: calls.append(None))
    async with fetching(maildir(box), shelf) as going:
        await going.until(lambda: len(calls) > 4)
        going.pulse.at = None
        put(box, "c", letter("two"), at=3)
        await going.until(lambda: "two" in going.shelf.subjects)
        await going.until(lambda: names(box / "new") == {"a"})
        assert going.pulse.at is None
        assert going.pulse.trouble == "A letter cannot be kept because of a fault in Helproom."
    assert shelf.subjects == ["one", "two"]


async def test_a_letter_on_which_the_line_breaks_does_not_hold_up_the_others(box: Path) -> None:
    put(box, "a", letter("breaker"), at=1)
    put(box, "b", letter("one"), at=2)
    there, tries = maildir(box), list[str]()
    read = there.read

    def read_or_break(letter: Waiting) -> bytes | None:
        raw = read(letter)
        if raw is not None and b"breaker" in raw:
            tries.append(letter.key)
            raise MailboxTrouble("The line broke.")
        return raw

    there.read = read_or_break
    async with fetching(there) as going:
        await going.until(lambda: going.shelf.subjects == ["one"])
        await going.until(lambda: len(tries) > 3)
        going.pulse.at = None
        put(box, "c", letter("two"), at=3)
        await going.until(lambda: "two" in going.shelf.subjects)
        await going.until(lambda: names(box / "new") == {"a"})
        assert (going.pulse.at, going.pulse.trouble) == (None, "The line broke.")


async def test_a_long_backlog_is_no_silence(box: Path) -> None:
    for number in range(3):
        put(box, str(number), letter(str(number)), at=number)
    shelf, beats = Shelf(), list[dt.datetime | None]()
    async with fetching(maildir(box), shelf) as going:
        shelf.before = lambda: beats.append(going.pulse.at)
        await going.until(lambda: going.rounds)
    assert beats == [None, NOON, NOON]


async def test_names_of_files_are_not_logged(
    box: Path, log: list[structlog.typing.EventDict], capfd: pytest.CaptureFixture[str]
) -> None:
    name = "evil\x1b[2J\nname@user.example"
    put(box, name, letter("one"))
    shelf = Shelf(faults=[RuntimeError(name)])
    async with fetching(maildir(box), shelf) as going:
        await going.until(lambda: going.rounds)
    assert shelf.subjects == ["one"]
    assert [entry["event"] for entry in log] == ["letter not kept", "mailbox.trouble"]
    assert "user.example" not in f"{log}{capfd.readouterr()}{going.pulse.trouble}"


@pytest.mark.parametrize("state", ["missing", "no Maildir", "gone"])
async def test_a_folder_that_cannot_be_used_is_told(box: Path, state: str) -> None:
    if state == "missing":
        box = box / "nowhere"
    elif state == "no Maildir":
        (box / "new").rmdir()
    async with fetching(maildir(box)) as going:
        if state == "gone":
            await going.until(lambda: going.rounds)
            (box / "new").rmdir()
        await going.until(lambda: going.pulse.trouble)
        assert going.pulse.trouble in (
            "The folder is no Maildir: there is no new/ in it.",
            "The mailbox's folder cannot be used: No such file or directory.",
        )
        (box / "new").mkdir(parents=True)
        (box / "new" / "a").write_bytes(letter("one"))
        await going.until(lambda: going.shelf.kept)
