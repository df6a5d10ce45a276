# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whom and what most tests of mail need; a file that needs another one makes it under the same name."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.mail.people import Desk, Person, desk, person
from tests.services.mailserver import MailServer
from tests.worlds.mail import MailDesk, mail_desk_at


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """A user with a key of her own."""
    with person("alice@user.example", tmp_path_factory.mktemp("keys") / "alice") as made:
        yield made


@pytest.fixture(scope="module", name="desk")
def make_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk with a key."""
    with desk(tmp_path_factory.mktemp("keys") / "desk") as made:
        yield made


@pytest.fixture(name="office")
async def make_office(shaped: str, desk: Desk) -> AsyncIterator[MailDesk]:
    """The desk at work."""
    async with mail_desk_at(shaped, desk.keyring) as office:
        yield office


@pytest.fixture(name="server")
async def make_server() -> AsyncIterator[MailServer]:
    """A mail server that takes what leaves."""
    async with MailServer() as server:
        yield server
