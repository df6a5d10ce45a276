# SPDX-License-Identifier: AGPL-3.0-or-later
"""The running desk looks at its real keys, and says in the operators' room when one nears its end."""

import datetime as dt
from pathlib import Path
from unittest.mock import Mock

from desk.keys.expiry import words_if_over
from helproom.jobs.keywatch import KeyWatch
from mail.openpgp.keyring import Keyring, KeyringUnusable
from storage.models import OutboxState
from tests.mail.people import desk
from tests.worlds.mail import MailDesk, mail_desk_at


async def said(office: MailDesk) -> list[str]:
    async with office.units() as unit:
        return [row.payload or "" for row in await unit.outbox.in_state(OutboxState.PENDING)]


async def test_a_key_that_nears_its_end_is_told_once_and_again_after_it_was_extended(
    shaped: str, tmp_path: Path
) -> None:
    with desk(tmp_path / "keys") as made:
        async with mail_desk_at(shaped, made.keyring) as office:
            office.clock.now = dt.datetime.now(dt.UTC)
            watch = KeyWatch(office.place, office.keyring, office.workshop)
            for _ in range(2):
                await watch.look()
            [told] = await said(office)
            assert "`helproom keys expire help 2y`" in told
            made.keyring.extend(office.config.queues[0].fingerprint, "50d")
            await watch.look()
            assert len(await said(office)) == 2


async def test_a_keyring_that_fails_is_left_for_the_next_look(shaped: str, tmp_path: Path) -> None:
    with desk(tmp_path / "keys") as made:
        async with mail_desk_at(shaped, made.keyring) as office:
            broken = Mock(spec=Keyring, secret_keys=Mock(side_effect=KeyringUnusable("no agent")))
            await KeyWatch(office.place, broken, office.workshop).look()
            assert await said(office) == []


async def test_of_a_key_that_has_expired_a_preview_hears_until_it_is_extended(
    shaped: str, tmp_path: Path
) -> None:
    with desk(tmp_path / "keys") as made:
        async with mail_desk_at(shaped, made.keyring) as office:
            watch = KeyWatch(office.place, office.keyring, office.workshop)
            [queue] = office.config.queues
            office.clock.now = dt.datetime.now(dt.UTC) + dt.timedelta(days=10_000)
            await watch.look()
            async with office.units() as unit:
                assert "“help” has expired" in await words_if_over(office.work(unit), queue)
            office.clock.now = dt.datetime.now(dt.UTC)
            await watch.look()
            async with office.units() as unit:
                assert await words_if_over(office.work(unit), queue) == ""
