# SPDX-License-Identifier: AGPL-3.0-or-later
"""IMAP servers with folders of another kind, and lines that break in the middle of a move."""

from collections.abc import Iterator

import pytest

from mail.inbound.imap import ImapMailbox, _uid, connected
from mail.inbound.mailbox import Outcome, Waiting
from tests.mail.inbound.test_imap import post
from tests.mail.mailboxes import account, fetching, letter, lies_in
from tests.services.mailhost import Dovecot


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    with Dovecot() as server:
        yield server


@pytest.mark.parametrize("folder", ["Processed", "INBOX.Processed"])
async def test_a_server_that_wants_all_folders_below_the_inbox_gets_them_there(folder: str) -> None:
    with Dovecot(separator=".", prefix="INBOX.") as server:
        post(server, letter("one"), letter("stray", to="nobody@example.org"))
        async with fetching(ImapMailbox(account(server, processed=folder))) as going:
            await going.until(lambda: going.rounds)
        assert list(lies_in(server, "INBOX.Processed")) == ["one"]
        assert list(lies_in(server, "INBOX.Quarantined")) == ["stray"]
        with connected(account(server, processed=folder)) as mailbox:
            assert mailbox.abilities().missing == ()
            assert len(mailbox.go_aside()) == 1
            mailbox.go_back()
            assert mailbox.waiting() == []


@pytest.mark.parametrize("capability", ["", "IMAP4rev1 UIDPLUS IDLE"], ids=["move", "copy"])
async def test_a_line_that_breaks_in_the_middle_of_a_move_loses_nothing(capability: str) -> None:
    with Dovecot(capability=capability) as server:
        post(server, letter("one"), letter("two"))
        mailbox = ImapMailbox(account(server))
        put_away, breaks = mailbox.put_away, [True]

        def break_once(letter: Waiting, outcome: Outcome) -> None:
            if breaks:
                breaks.clear()
                client = mailbox._client
                # The server has copied it, or moved it; nobody hears of that.
                (client.move if client.has_capability("MOVE") else client.copy)([_uid(letter)], "Processed")
                mailbox.hang_up()
            put_away(letter, outcome)

        mailbox.put_away = break_once
        async with fetching(mailbox) as going:
            await going.until(lambda: going.rounds)
            assert sorted(going.shelf.subjects) == ["one", "two"]
        assert lies_in(server, "INBOX") == {}
        assert sorted(lies_in(server, "Processed")) == ["one", "two"]


async def test_a_folder_that_can_only_be_read_is_told_and_nothing_is_kept_twice(dovecot: Dovecot) -> None:
    post(dovecot, letter("one"))
    mailbox = ImapMailbox(account(dovecot))
    select = mailbox._select

    def select_to_read(folder: str) -> None:
        whole = mailbox._client.select_folder
        mailbox._client.select_folder = lambda name: whole(name, readonly=True)
        select(folder)

    mailbox._select = select_to_read
    async with fetching(mailbox) as going:
        await going.until(lambda: "can only be read" in going.pulse.trouble)
        assert going.shelf.kept == []
    assert list(lies_in(dovecot, "INBOX")) == ["one"]
