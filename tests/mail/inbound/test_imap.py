# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters out of a real Dovecot, whatever happens to it, to the line or to us in between."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
from imapclient import DELETED, SEEN

from mail.inbound.envelope import Addressing
from mail.inbound.imap import ImapAccount, ImapMailbox, connected
from mail.inbound.mailbox import LoginRefused, MailboxTrouble, Outcome, Waiting
from mail.limits import LETTER_BYTES
from storage.engine.troubles import StorageTrouble
from storage.queries.letters import IncomingMail
from tests.mail.mailboxes import NOON, QUEUES, Shelf, account, another_client, fetching, letter, lies_in
from tests.services.mailhost import USER, Dovecot


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    with Dovecot() as server:
        yield server


def post(dovecot: Dovecot, *letters: bytes, flags: tuple[bytes, ...] = ()) -> None:
    with another_client(dovecot) as client:
        for raw in letters:
            client.append("INBOX", raw, flags)


async def test_letters_are_kept_byte_for_byte_and_moved(dovecot: Dovecot) -> None:
    raw = letter("one", to="help+t0ken@desk.example", body=b"\xff.\r\n..\r\n")
    post(dovecot, raw)
    post(dovecot, letter("read by somebody", to="Aide@desk.example"), flags=(SEEN,))
    async with fetching(ImapMailbox(account(dovecot))) as going:
        await going.until(lambda: going.rounds)
    assert going.pulse.at == NOON
    assert going.shelf.kept == [
        IncomingMail("en", "user@user.example", "t0ken", raw),
        IncomingMail("fr", "user@user.example", None, going.shelf.kept[1].raw),
    ]
    assert going.shelf.kept[0].raw == raw
    assert lies_in(dovecot, "INBOX") == {}
    assert lies_in(dovecot, "Processed") == {"one": (b"\\Recent",), "read by somebody": (SEEN, b"\\Recent")}


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_news_comes_through_idle(dovecot: Dovecot, security: str) -> None:
    port = dovecot.imaps if security == "tls" else dovecot.imap
    async with fetching(ImapMailbox(account(dovecot, port=port, security=security, poll=3600.0))) as going:
        await going.until(lambda: going.rounds)
        for subject in ("one", "two"):
            await asyncio.to_thread(post, dovecot, letter(subject))
            await going.until(lambda subject=subject: subject in going.shelf.subjects)  # type: ignore[misc]
    assert going.shelf.subjects == ["one", "two"]


async def test_idle_is_renewed_and_looks_again(dovecot: Dovecot) -> None:
    async with fetching(ImapMailbox(account(dovecot, renewal=0.05))) as going:
        for _ in range(3):
            going.rounds = 0
            await going.until(lambda: going.rounds)


async def test_without_idle_the_mailbox_is_polled() -> None:
    with Dovecot(capability="IMAP4rev1 UIDPLUS MOVE") as dovecot:
        async with fetching(ImapMailbox(account(dovecot, poll=0.05, renewal=3600.0))) as going:
            await going.until(lambda: going.rounds)
            await asyncio.to_thread(post, dovecot, letter("one"))
            await going.until(lambda: going.shelf.kept)


@contextlib.contextmanager
def hasty_server(
    selected: bytes = b"* 0 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n",
) -> Iterator[tuple[int, list[bytes]]]:
    """Give the port of a server that says yes to every command, and a list of all it was told.

    It sends the news in one packet with its "go ahead" for IDLE, and knows no STARTTLS.
    """
    said: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    _answer(listener.accept()[0], said, selected)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], said
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def _answer(peer: socket.socket, said: list[bytes], selected: bytes) -> None:
    untagged = {b"CAPABILITY": b"* CAPABILITY IMAP4rev1 IDLE\r\n", b"SELECT": selected}
    with peer, peer.makefile("rb") as lines, contextlib.suppress(ConnectionError):
        peer.sendall(b"* OK [CAPABILITY IMAP4rev1 IDLE] hello\r\n")
        for line in lines:
            said.append(line)
            tag, verb = line.split()[:2]
            if verb == b"IDLE":
                peer.sendall(b"+ idling\r\n* 1 EXISTS\r\n")
                lines.readline()
            code = b"[READ-WRITE] " if verb == b"SELECT" else b""
            peer.sendall(untagged.get(verb, b"") + tag + b" OK " + code + b"done\r\n")


def test_news_in_one_packet_with_the_go_ahead_is_not_waited_for() -> None:
    with hasty_server() as (port, _):
        mailbox = ImapMailbox(ImapAccount("127.0.0.1", port, "none", "u", "p", renewal=3600.0))
        mailbox.connect()
        waiting = threading.Thread(target=mailbox.wait, daemon=True)
        waiting.start()
        waiting.join(10)
        ended = not waiting.is_alive()
        mailbox.hang_up()
        waiting.join(10)
        mailbox.close()
    assert ended


def test_without_tls_the_password_stays_here() -> None:
    with hasty_server() as (port, said):
        with (
            pytest.raises(MailboxTrouble, match="does not do what it is asked for"),
            connected(ImapAccount("127.0.0.1", port, "starttls", "u", "p")),
        ):
            pass
        assert said
        assert not any(b"LOGIN" in line or b"AUTHENTICATE" in line for line in said)


async def test_a_server_that_speaks_nonsense_takes_nothing_down() -> None:
    with hasty_server(selected=b"") as (port, _):
        async with fetching(ImapMailbox(ImapAccount("127.0.0.1", port, "none", "u", "p"))) as going:
            await going.until(lambda: going.pulse.trouble)
            assert going.pulse.trouble == "The mail server's answer cannot be understood."


async def test_large_letters_come_in_parts_and_too_large_ones_not_at_all(dovecot: Dovecot) -> None:
    exact = letter("exact")
    exact += b"x" * (2_000_000 - len(exact) - 2) + b"\r\n"
    post(dovecot, exact, letter("larger", body=b"x" * 2_500_001), letter("bomb", body=b"x" * LETTER_BYTES))
    mailbox = ImapMailbox(account(dovecot))
    read: list[int] = []
    fetch = mailbox.read

    def read_noted(letter: Waiting) -> bytes | None:
        read.append(letter.size)
        return fetch(letter)

    mailbox.read = read_noted
    async with fetching(mailbox) as going:
        await going.until(lambda: going.rounds)
    assert [len(one.raw) for one in going.shelf.kept] == [2_000_000, len(letter("larger")) + 2_499_999]
    assert going.shelf.kept[0].raw == exact
    assert max(read) < LETTER_BYTES
    [refused] = going.shelf.refused
    assert refused.reason == "it has 25.0 MB, and 25 MB are the limit"
    assert list(lies_in(dovecot, "Quarantined")) == ["bomb"]


async def test_letters_for_nobody_are_refused_with_a_reason(dovecot: Dovecot) -> None:
    post(dovecot, letter("stray", to="nobody@desk.example"), b"\r\n\r\n", letter("one"))
    async with fetching(ImapMailbox(account(dovecot))) as going:
        await going.until(lambda: going.rounds)
    assert going.shelf.subjects == ["one"]
    assert [one.reason for one in going.shelf.refused] == [
        "it is for none of the queues' addresses",
        "it is empty",
    ]
    assert len({one.key for one in going.shelf.refused}) == 2
    assert set(lies_in(dovecot, "Quarantined")) == {"stray", ""}


async def test_a_mailbox_of_one_queue_takes_whatever_comes(dovecot: Dovecot) -> None:
    post(dovecot, letter("stray", to="nobody@desk.example"), letter("ours", to="aide+tok@desk.example"))
    async with fetching(ImapMailbox(account(dovecot)), addressing=Addressing(QUEUES, "fr")) as going:
        await going.until(lambda: going.rounds)
    assert [(one.queue, one.token) for one in going.shelf.kept] == [("fr", None), ("fr", "tok")]


async def test_nothing_is_seen_or_moved_before_it_is_kept(dovecot: Dovecot) -> None:
    looks: list[dict[str, tuple[bytes, ...]]] = []
    shelf = Shelf(before=lambda: looks.append(lies_in(dovecot, "INBOX")))
    post(dovecot, letter("one"))
    async with fetching(ImapMailbox(account(dovecot)), shelf) as going:
        await going.until(lambda: going.rounds)
    assert [(list(look), SEEN in look["one"], DELETED in look["one"]) for look in looks] == [
        (["one"], False, False)
    ]


async def test_what_cannot_be_kept_stays_and_the_rest_goes_on(dovecot: Dovecot) -> None:
    post(dovecot, letter("poison"), letter("one"))
    shelf = Shelf(faults=[RuntimeError("SECRET")])
    async with fetching(ImapMailbox(account(dovecot)), shelf) as going:
        await going.until(lambda: going.rounds)
    assert shelf.subjects == ["one", "poison"]


async def test_a_database_in_trouble_leaves_letters_where_they_are(dovecot: Dovecot) -> None:
    post(dovecot, letter("one"))
    shelf = Shelf(faults=[StorageTrouble("The database is locked.")] * 10_000)
    async with fetching(ImapMailbox(account(dovecot)), shelf) as going:
        await going.until(lambda: going.pulse.trouble)
        assert going.pulse.trouble == "The database is locked."
        assert list(lies_in(dovecot, "INBOX")) == ["one"]
        shelf.faults.clear()
        await going.until(lambda: going.rounds)
    assert shelf.subjects == ["one"]


async def test_a_stop_between_keeping_and_moving_keeps_once_more_and_moves(dovecot: Dovecot) -> None:
    """The database then finds the same bytes and keeps them once (see tests/stories)."""
    post(dovecot, letter("one"))
    mailbox, shelf = ImapMailbox(account(dovecot)), Shelf()
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def die(letter: Waiting, outcome: Outcome) -> None:
        loop.call_soon_threadsafe(asked.set)
        raise MailboxTrouble("killed")

    put_away = mailbox.put_away
    mailbox.put_away = die
    async with fetching(mailbox, shelf):
        await asyncio.wait_for(asked.wait(), 10)
    assert shelf.subjects == ["one"]
    mailbox.put_away = put_away
    async with fetching(mailbox, shelf) as going:
        await going.until(lambda: going.rounds)
    assert shelf.kept[0] == shelf.kept[1]
    assert (lies_in(dovecot, "INBOX"), list(lies_in(dovecot, "Processed"))) == ({}, ["one"])


async def test_a_letter_that_cannot_be_moved_is_kept_once_and_moved_later(dovecot: Dovecot) -> None:
    post(dovecot, letter("one"), letter("two"))
    mailbox = ImapMailbox(account(dovecot))
    mailbox.open()
    with another_client(dovecot) as client:
        client.delete_folder("Processed")
    mailbox.open = mailbox.connect
    async with fetching(mailbox) as going:
        await going.until(lambda: going.pulse.trouble)
        assert going.pulse.trouble == (
            "A letter was settled and cannot be moved away: "
            "The mail server does not move or delete the letter (TRYCREATE)."
        )
        with another_client(dovecot) as client:
            client.create_folder("Processed")
        await going.until(lambda: going.rounds)
    assert going.shelf.subjects == ["one", "two"]
    assert list(lies_in(dovecot, "Processed")) == ["one", "two"]


async def test_uids_of_a_mailbox_that_was_made_anew_mean_other_letters(dovecot: Dovecot) -> None:
    post(dovecot, letter("old"))
    mailbox = ImapMailbox(account(dovecot, processed="Missing"))
    mailbox.open = mailbox.connect
    async with fetching(mailbox) as going:
        await going.until(lambda: "TRYCREATE" in going.pulse.trouble)
        with another_client(dovecot) as client:
            before = client.select_folder("INBOX")[b"UIDVALIDITY"]
        dovecot.make_anew(before + 1)
        post(dovecot, letter("new"))
        with another_client(dovecot) as client:
            after = client.select_folder("INBOX")
            assert (after[b"UIDVALIDITY"], after[b"UIDNEXT"]) == (before + 1, 2)
            client.create_folder("Missing")
        await going.until(lambda: going.rounds)
    assert going.shelf.subjects == ["old", "new"]
    assert list(lies_in(dovecot, "Missing")) == ["new"]


async def test_a_mailbox_made_anew_under_a_fetch_loses_no_letter_of_either(dovecot: Dovecot) -> None:
    post(dovecot, letter("old 1"), letter("old 2"))
    shelf = Shelf()
    with another_client(dovecot) as client:
        before = client.select_folder("INBOX")[b"UIDVALIDITY"]

    def make_anew() -> None:
        shelf.before = lambda: None
        dovecot.make_anew(before + 1)
        post(dovecot, letter("new 1"), letter("new 2"))

    shelf.before = make_anew
    async with fetching(ImapMailbox(account(dovecot)), shelf) as going:
        await going.until(lambda: going.rounds)
        await going.until(lambda: not lies_in(dovecot, "INBOX"))
    assert {"old 1", "new 1", "new 2"} <= set(shelf.subjects)
    assert {"new 1", "new 2"} <= set(lies_in(dovecot, "Processed"))


@pytest.mark.parametrize("capability", ["IMAP4rev1 IDLE UIDPLUS", "IMAP4rev1 IDLE"])
async def test_without_move_letters_are_copied_and_no_other_is_expunged(capability: str) -> None:
    with Dovecot(capability=capability) as dovecot:
        post(dovecot, letter("deleted by somebody"), flags=(DELETED,))
        post(dovecot, letter("one"))
        async with fetching(ImapMailbox(account(dovecot, renewal=0.05))) as going:
            await going.until(lambda: going.rounds)
            await asyncio.to_thread(post, dovecot, letter("two"))
            for _ in range(3):
                going.rounds = 0
                await going.until(lambda: going.rounds)
        assert going.shelf.subjects == ["one", "two"]
        assert list(lies_in(dovecot, "Processed")) == ["one", "two"]
        inbox = lies_in(dovecot, "INBOX")
        assert all(DELETED in flags for flags in inbox.values())
        assert set(inbox) == {"deleted by somebody"} | (set() if "UIDPLUS" in capability else {"one", "two"})


async def test_kept_letters_can_be_deleted_and_refused_ones_never_are(dovecot: Dovecot) -> None:
    post(dovecot, letter("one"), letter("stray", to="nobody@desk.example"))
    async with fetching(ImapMailbox(account(dovecot, processed=None))) as going:
        await going.until(lambda: going.rounds)
    assert lies_in(dovecot, "INBOX") == {}
    assert lies_in(dovecot, "Processed") == {}
    assert list(lies_in(dovecot, "Quarantined")) == ["stray"]


@pytest.mark.parametrize("how", ["kicked", "restarted"])
async def test_a_line_that_breaks_in_idle_is_made_anew(dovecot: Dovecot, how: str) -> None:
    async with fetching(ImapMailbox(account(dovecot))) as going:
        await going.until(lambda: going.rounds)
        if how == "kicked":
            await asyncio.to_thread(dovecot.hang_up)
        else:
            await asyncio.to_thread(dovecot.stop)
            await going.until(lambda: going.pulse.trouble)
            await asyncio.to_thread(dovecot.start)
        await asyncio.to_thread(post, dovecot, letter("one"))
        await going.until(lambda: going.shelf.kept)
        await going.until(lambda: not going.pulse.trouble)


async def test_a_refused_login_is_tried_again(dovecot: Dovecot) -> None:
    post(dovecot, letter("one"))
    async with fetching(ImapMailbox(account(dovecot, password="wrong"))) as going:
        await going.until(lambda: going.pulse.trouble)
        assert going.pulse.trouble == "The mail server refuses the login (AUTHENTICATIONFAILED)."
        dovecot.set_password("wrong")
        await going.until(lambda: going.shelf.kept)


async def test_a_stop_in_idle_takes_no_time(dovecot: Dovecot) -> None:
    async with fetching(ImapMailbox(account(dovecot, renewal=3600.0))) as going:
        await going.until(lambda: going.rounds)
        await asyncio.sleep(0.05)
        begun = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - begun < 2


@pytest.mark.parametrize(
    ("otherwise", "sentence"),
    [
        ({"port": 9}, "The mail server cannot be reached: Connection refused."),
        ({"host": "nowhere.invalid"}, "The mail server's name is not known."),
        ({"ca_file": None}, "The mail server's certificate is not trusted: "),
        ({"security": "starttls"}, "The mail server does not answer in time, or it wants"),
        ({"folder": "Elsewhere"}, "The mail server does not open the folder to fetch from."),
        ({"security": "none"}, "The mail server does not answer in time"),
    ],
)
def test_every_trouble_is_a_sentence_without_names(
    dovecot: Dovecot, otherwise: dict[str, object], sentence: str
) -> None:
    wrong = account(dovecot, **{"connect_seconds": 0.5, **otherwise})
    with pytest.raises(MailboxTrouble) as raised, connected(wrong):
        pass
    assert str(raised.value).startswith(sentence)
    assert USER not in str(raised.value)


def test_the_certificate_must_be_for_the_host(dovecot: Dovecot) -> None:
    elsewhere = account(dovecot, host="127.0.0.2")
    with pytest.raises(MailboxTrouble, match="certificate is not trusted"), connected(elsewhere):
        pass


def test_what_the_server_can_do_is_told(dovecot: Dovecot) -> None:
    with connected(account(dovecot)) as mailbox:
        found = mailbox.abilities()
        assert (found.idle, found.clean_moves, found.missing) == (True, True, ("Processed", "Quarantined"))
        mailbox.open()
        assert mailbox.abilities().missing == ()


def test_a_wrong_password_is_told_as_such(dovecot: Dovecot) -> None:
    with pytest.raises(LoginRefused), connected(account(dovecot, password="wrong")):
        pass
