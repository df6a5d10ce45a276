# SPDX-License-Identifier: AGPL-3.0-or-later
"""Takes a file out of a kept letter, which is opened for it once more."""

from desk.letters.opened import Attachment, Opened, Unopenable
from desk.outbox.outcomes import Later
from desk.tickets.received_files import FileRequest
from mail.openpgp.keyring import KeyringUnusable
from mail.workers.opener import LetterOpener
from mail.workers.raw_letters import read_letter
from storage.sealing.vault import SealBroken
from storage.unit import Units

_GONE = "The letter it came with is not kept any more."
_OTHER = "The letter does not hold it any more as it was listed. `!files` lists what there is."


class FileReader:
    """Opens letters for the files in them."""

    def __init__(self, units: Units, opener: LetterOpener) -> None:
        """Remember what is needed; nothing is opened yet."""
        self._units = units
        self._opener = opener

    async def __call__(self, wanted: FileRequest) -> Attachment | Later | str:
        """Return a file, or a sentence that says why there is none; Later while GnuPG cannot be used."""
        async with self._units() as unit:
            letter = await read_letter(unit, wanted.letter)
        if letter is None:
            return _GONE
        try:
            opened = await self._opener.open(letter)
        except Unopenable as why:
            return str(why)
        except SealBroken:
            return "The master key here does not open the letter."
        except KeyringUnusable as why:
            return Later(str(why))
        return _found(opened, wanted)


def _found(opened: Opened, wanted: FileRequest) -> Attachment | str:
    found = opened.attachments[wanted.index : wanted.index + 1]
    if not found or (found[0].name, found[0].size) != (wanted.name, wanted.size):
        return _OTHER
    if found[0].danger and not wanted.dangerous:
        return f"It is dangerous ({found[0].danger}); only `!file … --dangerous` shows it."
    return found[0]
