# SPDX-License-Identifier: AGPL-3.0-or-later
"""The LMTP door, spoken to by the standard library's client and by raw sockets."""

import asyncio
import logging
import smtplib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import structlog

from mail.inbound.lmtp import LmtpDoor
from mail.limits import LETTER_BYTES
from storage.queries.letters import IncomingMail
from tests.mail.talking import QUEUES, Dialogue, Shelf, begin

LETTER = b"From: a@user.example\r\nSubject: hi\r\n\r\n.one dot\r\n..two\r\nbare\n.\nlf\r\nlast"


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture(params=["tcp", "unix"])
async def door(request: pytest.FixtureRequest, shelf: Shelf, tmp_path: Path) -> AsyncIterator[LmtpDoor]:
    door = LmtpDoor(QUEUES, shelf.keep, path=tmp_path / "lmtp" if request.param == "unix" else None)
    await door.start()
    yield door
    await door.stop(grace=1)


@pytest.fixture
async def tcp(shelf: Shelf) -> AsyncIterator[LmtpDoor]:
    door = LmtpDoor(QUEUES, shelf.keep)
    await door.start()
    yield door
    await door.stop(grace=1)


@pytest.fixture(autouse=True)
def said() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
async def dialogue(tcp: LmtpDoor) -> AsyncIterator[Dialogue]:
    spoken = Dialogue(*await asyncio.open_connection("127.0.0.1", tcp.port))
    assert (await spoken.hear()).startswith("220 ")
    assert (await spoken.say("LHLO mta.example"))[0].startswith("250 ")
    yield spoken
    spoken.writer.close()


def client(door: LmtpDoor, tmp_path: Path) -> smtplib.LMTP:
    return smtplib.LMTP("127.0.0.1", door.port) if door.port else smtplib.LMTP(str(tmp_path / "lmtp"))


async def test_a_letter_arrives_byte_for_byte(door: LmtpDoor, shelf: Shelf, tmp_path: Path) -> None:
    def send() -> dict[str, tuple[int, bytes]]:
        with client(door, tmp_path) as lmtp:
            return lmtp.sendmail("", ["Help-EN+t0ken@desk.example"], LETTER.replace(b"bare\n.\nlf\r\n", b""))

    assert await asyncio.to_thread(send) == {}
    raw = LETTER.replace(b"bare\n.\nlf\r\n", b"") + b"\r\n"
    assert shelf.kept == [IncomingMail("en", "", "t0ken", raw)]
    assert shelf.kept[0].raw == raw


async def test_the_door_offers_what_mail_servers_need(tcp: LmtpDoor, tmp_path: Path) -> None:
    def ask() -> dict[str, str]:
        with client(tcp, tmp_path) as lmtp:
            lmtp.ehlo()
            return dict(lmtp.esmtp_features)

    offered = await asyncio.to_thread(ask)
    assert {
        "size": str(LETTER_BYTES),
        "8bitmime": "",
        "smtputf8": "",
        "pipelining": "",
    }.items() <= offered.items()
    assert "auth" not in offered


async def test_unknown_recipients_are_refused_before_the_letter(dialogue: Dialogue) -> None:
    answers = await dialogue.say("MAIL FROM:<a@user.example>", "RCPT TO:<nobody@desk.example>", "DATA")
    assert answers[1].startswith("550 5.1.1 ")
    assert answers[2].startswith("503 ")


async def test_each_recipient_has_an_answer_of_its_own(dialogue: Dialogue, shelf: Shelf) -> None:
    shelf.fault = RuntimeError("a@user.example and a secret")
    await begin(dialogue, "help-en@desk.example", "help-fr+x@desk.example")
    first, second = await dialogue.send(b"hi\r\n.\r\n", answers=2)
    assert first == "451 4.3.0 Not kept because of a fault here; try again later"
    assert second.startswith("250 ")
    assert [(one.queue, one.token) for one in shelf.kept] == [("fr", "x")]


async def test_no_word_of_a_fault_leaks(
    dialogue: Dialogue, shelf: Shelf, said: list[structlog.typing.EventDict], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shelf.fault = RuntimeError("SECRET of a@user.example")
    await begin(dialogue, "help-en@desk.example")
    assert (await dialogue.send(b"SECRET\r\n.\r\n"))[0].startswith("451 4.3.0 ")
    assert said[0] == {"event": "letter not kept", "fault": "RuntimeError", "log_level": "error"}
    assert (said[1]["event"], said[1]["codes"]) == ("letter.answered", ["451"])
    assert len(said) == 2
    assert "user.example" not in caplog.text
    assert "SECRET" not in caplog.text


async def test_a_fault_in_our_code_is_never_a_lasting_refusal(shelf: Shelf) -> None:
    def break_down(_: str) -> str | None:
        raise KeyError("SECRET")

    door = LmtpDoor(break_down, shelf.keep)
    await door.start()
    dialogue = Dialogue(*await asyncio.open_connection("127.0.0.1", door.port))
    await dialogue.hear()
    answers = await dialogue.say("LHLO x", "MAIL FROM:<>", "RCPT TO:<help-en@desk.example>")
    assert answers[2] == "451 4.3.0 Not kept because of a fault here; try again later"
    dialogue.writer.close()
    await door.stop()


async def test_only_crlf_dot_crlf_ends_a_letter(dialogue: Dialogue, shelf: Shelf) -> None:
    smuggled = b"MAIL FROM:<evil@user.example>\r\nRCPT TO:<help-en@desk.example>\r\nDATA\r\nevil\r\n"
    for end in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\n.\r"):
        await begin(dialogue, "help-en@desk.example")
        answers = await dialogue.send(b"good" + end + smuggled + b".\r\n")
        assert answers[0].startswith("250 ")
        assert shelf.kept.pop().raw == (b"good" + end + smuggled).replace(b"\r\n.", b"\r\n")
        assert shelf.kept == []


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"..\r\n.\r\n", b".\r\n"),
        (b".a\r\n..\r\n...\r\n.\r\n", b"a\r\n.\r\n..\r\n"),
        (b"\r\n..\r\n.\r\n", b"\r\n.\r\n"),
        (b"\r\n\x00\r\n.\r\n", b"\r\n\x00\r\n"),
        (b"\x00\xff\r\r\n.\r\n", b"\x00\xff\r\r\n"),
        (b"x" * 200_000 + b"\r\n.\r\n", b"x" * 200_000 + b"\r\n"),
    ],
)
async def test_dots_are_undone_and_nothing_else(
    dialogue: Dialogue, shelf: Shelf, sent: bytes, kept: bytes
) -> None:
    await begin(dialogue, "help-en@desk.example")
    assert (await dialogue.send(sent))[0].startswith("250 ")
    assert [one.raw for one in shelf.kept] == [kept]


async def test_a_letter_in_single_bytes_with_commands_behind_it_is_kept(
    dialogue: Dialogue, shelf: Shelf
) -> None:
    await begin(dialogue, "help-en@desk.example")
    for byte in b"hello\r\n.\r\n":
        dialogue.writer.write(bytes([byte]))
        await dialogue.writer.drain()
        await asyncio.sleep(0)
    assert (await dialogue.hear()).startswith("250 ")
    again = b"MAIL FROM:<>\r\nRCPT TO:<help-fr@desk.example>\r\nDATA\r\n"
    answers = await dialogue.send(again + b"two\r\n.\r\n" + again + b"three\r\n.\r\nQUIT\r\n", answers=9)
    assert [answer[:3] for answer in answers] == ["250", "250", "354", "250"] * 2 + ["221"]
    assert [one.raw for one in shelf.kept] == [b"hello\r\n", b"two\r\n", b"three\r\n"]


async def test_a_letter_that_is_too_large_is_refused_for_each_recipient(
    dialogue: Dialogue, shelf: Shelf
) -> None:
    assert (await dialogue.say(f"MAIL FROM:<> SIZE={LETTER_BYTES + 1}"))[0].startswith("552 ")
    await begin(dialogue, "help-en@desk.example", "help-fr@desk.example")
    answers = await dialogue.send(b"x" * (LETTER_BYTES + 2_000_000) + b"\r\n.\r\n", answers=2)
    assert [answer[:9] for answer in answers] == ["552 5.3.4", "552 5.3.4"]
    assert shelf.kept == []
    await begin(dialogue, "help-en@desk.example")
    assert (await dialogue.send(b"small\r\n.\r\n"))[0].startswith("250 ")


async def test_a_smaller_limit_of_the_config_is_announced_and_held(shelf: Shelf) -> None:
    door = LmtpDoor(QUEUES, shelf.keep, largest=10_000)
    await door.start()

    def hand_over() -> tuple[str, list[int]]:
        with smtplib.LMTP("127.0.0.1", door.port) as spoken:
            spoken.ehlo("mx.example")
            codes = [spoken.mail("u@example.org", ["SIZE=10001"])[0]]
            for size in (9_999, 9_998):
                spoken.mail("u@example.org")
                spoken.rcpt("help-en@desk.example")
                codes.append(spoken.data(b"x" * size + b"\r\n")[0])
            return spoken.esmtp_features["size"], codes

    try:
        assert await asyncio.to_thread(hand_over) == ("10000", [552, 552, 250])
    finally:
        await door.stop(grace=1)
    assert [len(one.raw) for one in shelf.kept] == [10_000]


async def test_a_letter_of_the_largest_size_is_kept(dialogue: Dialogue, shelf: Shelf) -> None:
    await begin(dialogue, "help-en@desk.example")
    assert (await dialogue.send(b"x\n" + b"\r\n" * (LETTER_BYTES // 2 - 1) + b".\r\n"))[0].startswith("250 ")
    assert [len(one.raw) for one in shelf.kept] == [LETTER_BYTES]


async def test_addresses_may_be_in_any_script_and_even_broken(dialogue: Dialogue, shelf: Shelf) -> None:
    lines = [
        "MAIL FROM:<jürgen@müller.example> SMTPUTF8 BODY=8BITMIME",
        "RCPT TO:<help-en@desk.example>",
        "DATA",
    ]
    assert [answer[:3] for answer in await dialogue.say(*lines)] == ["250", "250", "354"]
    await dialogue.send("naïve\r\n.\r\n".encode())
    assert shelf.kept[0].mail_from == "jürgen@müller.example"
    await begin(dialogue, "help-en@desk.example", sender="j\udcfcrgen@user.example")
    await dialogue.send(b"x\r\n.\r\n")
    assert shelf.kept[1].mail_from == "j?rgen@user.example"


async def test_no_250_before_the_letter_is_kept(dialogue: Dialogue, shelf: Shelf) -> None:
    shelf.may_end = asyncio.Event()
    await begin(dialogue, "help-en@desk.example")
    dialogue.writer.write(b"x\r\n.\r\n")
    await shelf.began.wait()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(answer := asyncio.ensure_future(dialogue.hear())), 0.1)
    shelf.may_end.set()
    assert (await answer).startswith("250 ")
    assert len(shelf.kept) == 1


async def test_a_stop_lets_the_letter_under_way_be_answered(
    dialogue: Dialogue, tcp: LmtpDoor, shelf: Shelf
) -> None:
    shelf.may_end = asyncio.Event()
    await begin(dialogue, "help-en@desk.example")
    dialogue.writer.write(b"x\r\n.\r\n")
    await shelf.began.wait()
    stop = asyncio.ensure_future(tcp.stop(grace=20))
    await asyncio.sleep(0)
    shelf.may_end.set()
    assert (await dialogue.hear()).startswith("250 ")
    await stop
    assert await dialogue.reader.read() == b""


async def test_a_stop_hangs_up_on_idle_clients_at_once(dialogue: Dialogue, tcp: LmtpDoor) -> None:
    await tcp.stop(grace=3600)
    assert await dialogue.reader.read() == b""


async def test_a_socket_left_behind_does_not_prevent_a_start(tmp_path: Path, shelf: Shelf) -> None:
    path = tmp_path / "lmtp"
    first = LmtpDoor(QUEUES, shelf.keep, path=path)
    await first.start()
    with pytest.raises(OSError, match="already listens"):
        await LmtpDoor(QUEUES, shelf.keep, path=path).start()
    await first.stop()
    assert not path.exists()
    # Left by a process that was killed: from Python 3.13 on a server that is closed takes its own away.
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    assert path.is_socket()
    second = LmtpDoor(QUEUES, shelf.keep, path=path)
    await second.start()
    assert path.stat().st_mode & 0o007 == 0
    await second.stop()


@pytest.mark.parametrize(
    "line", ["", "\xff", "FOO", "HELO x", "EHLO x", "RCPT", "MAIL", "MAIL FROM:<", "VRFY \udcff", "HELP"]
)
async def test_no_command_ends_the_conversation(dialogue: Dialogue, line: str) -> None:
    assert (await dialogue.say(line))[0][0] in "245"
    await begin(dialogue, "help-en@desk.example")


async def test_a_hundred_recipients_are_enough(dialogue: Dialogue) -> None:
    lines = ["MAIL FROM:<>", *(f"RCPT TO:<help-en+{number}@desk.example>" for number in range(101))]
    answers = await dialogue.say(*lines)
    assert {answer[:9] for answer in answers[1:-1]} == {"250 2.1.5"}
    assert answers[-1].startswith("452 4.5.3")


async def test_a_client_that_leaves_within_its_letter_leaves_nothing(
    dialogue: Dialogue, tcp: LmtpDoor, shelf: Shelf
) -> None:
    await begin(dialogue, "help-en@desk.example")
    dialogue.writer.write(b"half a letter\r\n")
    dialogue.writer.close()
    again = Dialogue(*await asyncio.open_connection("127.0.0.1", tcp.port))
    await again.hear()
    await again.say("LHLO x")
    await begin(again, "help-en@desk.example")
    assert (await again.send(b"whole\r\n.\r\n"))[0].startswith("250 ")
    again.writer.close()
    assert [one.raw for one in shelf.kept] == [b"whole\r\n"]


async def test_data_without_recipients_or_with_words_is_refused(dialogue: Dialogue) -> None:
    answers = await dialogue.say("DATA", "MAIL FROM:<>", "RCPT TO:<help-en@desk.example>", "DATA now")
    assert [answer[:3] for answer in answers] == ["503", "250", "250", "501"]


def test_a_token_stands_after_the_plus_in_any_address() -> None:
    look_up: Callable[[str], str | None] = QUEUES
    assert look_up("help-fr+abc@DESK.example") == "fr"
    assert look_up("help-fr-abc@desk.example") is None
    assert look_up("") is None


@pytest.mark.parametrize("token", ["\udcff", "caf\udce9", "a\x00b", "a\x01b"])
async def test_a_recipient_that_no_database_takes_is_refused_for_good(
    dialogue: Dialogue, shelf: Shelf, token: str
) -> None:
    lines = ["MAIL FROM:<>", f"RCPT TO:<help-en+{token}@desk.example>", "DATA"]
    answers = await dialogue.say(*lines)
    assert answers[1].startswith("553 5.1.3 ")
    assert answers[2].startswith("503 ")
    await dialogue.say("RSET")
    await begin(dialogue, "help-en+café@desk.example")
    assert (await dialogue.send(b"x\r\n.\r\n"))[0].startswith("250 ")
    assert [one.token for one in shelf.kept] == ["café"]


@pytest.mark.parametrize("sent", [b".\r\n", b"\r\n.\r\n", b" \r\n\t\r\n\r\n.\r\n"])
async def test_an_empty_letter_is_refused_for_each_recipient(
    dialogue: Dialogue, shelf: Shelf, sent: bytes
) -> None:
    await begin(dialogue, "help-en@desk.example", "help-fr@desk.example")
    answers = await dialogue.send(sent, answers=2)
    assert [answer[:9] for answer in answers] == ["554 5.6.0", "554 5.6.0"]
    assert shelf.kept == []
