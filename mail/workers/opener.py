# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every letter is opened with, on its arrival and whenever it is opened again."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from desk.config import Relay
from desk.keys.offers import KeyGrown
from desk.letters.opened import Opened
from mail.openpgp import packets
from mail.openpgp.keyring import GpgExecutor, Keyring
from mail.openpgp.merging import with_merged_key
from mail.reading.open_letter import open_letter
from mail.workers.raw_letters import RawLetter
from storage.sealing.vault import SealBroken


@dataclass(frozen=True)
class LetterOpener:
    """The desk's keys, the threads in which GnuPG is waited for, and the lists whose word counts."""

    keyring: Keyring = field(repr=False)
    workshop: GpgExecutor = field(repr=False)
    relays: Sequence[Relay] = ()

    async def open(self, letter: RawLetter) -> Opened:
        """Open a letter outside the event loop.

        Raises Unopenable and KeyringUnusable as `open_letter`, SealBroken where the master key is another.
        """
        return await self.workshop.run(self._open, letter)

    async def merged(self, opened: Opened, grown: KeyGrown) -> Opened:
        """Return the letter with the form of a known key that it brings merged into the form that is kept."""
        return await self.workshop.run(with_merged_key, opened, grown)

    def _open(self, letter: RawLetter) -> Opened:
        if letter.raw is None:
            raise SealBroken(f"letter {letter.id}")
        signers = [key for armor in letter.signers for key in _readable(armor)]
        return open_letter(
            letter.raw, self.keyring, signers=signers, mail_from=letter.mail_from, relays=self.relays
        )


def _readable(armor: bytes) -> Iterator[bytes]:
    """Take off a key's armor once for all runs of GnuPG.

    One that cannot be read any more proves nothing, and must not keep the letter shut.
    """
    with suppress(packets.Malformed):
        yield packets.dearmor(armor)
