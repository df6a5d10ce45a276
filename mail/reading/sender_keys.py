# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which of the keys in a letter are offered as its sender's, and which only stand in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from desk.letters.opened import Attachment, OfferedKey, WhisperBack
from mail.mime.content import Content, as_attachment, join_texts
from mail.mime.key_files import holds_only_keys, key_blocks, key_file_blocks
from mail.mime.parts import Part
from mail.openpgp.keyring import Keyring
from mail.origin.schleuder import Relayed
from mail.reading.offered_keys import MOST_KEYS, each_once, read_autocrypt, read_offers
from mail.text.headers import HeaderBlock
from mail.whisperback.report import told_words

_BLOCK = "block"
"""What a report says of a key that stands in it."""
_ELSES = (
    "A public key stands in the letter that does not name its sender, or beside what was protected: {}. "
    "It is not taken for the sender's."
)


@dataclass(frozen=True)
class Holder:
    """A letter as far as keys are looked for in it."""

    letter: Part | None
    """The letter whose Autocrypt header counts; None when that is a list's."""
    inner: HeaderBlock | None
    told: Relayed
    outside: tuple[Content, ...]


@dataclass(frozen=True)
class Offers:
    """The keys that a letter offers, the files that hold none that is usable, and what is odd."""

    keys: tuple[OfferedKey, ...]
    refused: tuple[Attachment, ...]
    problems: tuple[str, ...]


def read_keys(keyring: Keyring, holder: Holder, report: WhisperBack | None) -> Offers:
    """Read what keys a letter offers, the sender's first; a file without a usable one stays an attachment.

    A key that was pasted into the words, or that stands outside the protection, can be anybody's: it is taken
    only when a user id names the sender. One in a report is the person's by the report's word.
    """
    reading = _Reading(keyring, _names(holder, report))
    if report is not None and report.openpgp_key == _BLOCK:
        blocks = list(key_blocks(told_words(join_texts(holder.told.contents)).encode()))[-1:]
        reading.keys += read_offers(keyring, blocks, "report", reading.problems)
    else:
        own = join_texts([content for content in holder.told.contents if not content.is_passed_on])
        words = own if report is None else told_words(own)
        reading.take_named(list(key_blocks(words.encode())))
    reading.take_named(list(key_blocks(join_texts(holder.outside).encode())))
    reading.take_files(holder.told.contents, is_named=False)
    reading.take_files(holder.outside, is_named=True)
    if holder.letter is not None:
        reading.keys += read_autocrypt(keyring, holder.letter, reading.problems, holder.inner)
    keys = sorted(reading.keys, key=lambda key: not (key.source == "report" or reading.names(key)))
    return Offers(each_once(keys), tuple(reading.refused), tuple(reading.problems))


def with_verdict_on_key(report: WhisperBack | None, keys: Sequence[OfferedKey]) -> WhisperBack | None:
    """Tell the key of a report as garbled when GnuPG could not read it."""
    if report is None or report.openpgp_key != _BLOCK or any(key.source == "report" for key in keys):
        return report
    return replace(report, garbled=tuple(dict.fromkeys((*report.garbled, "openpgp_key"))))


def _names(holder: Holder, report: WhisperBack | None) -> frozenset[str]:
    """Return the addresses of who wrote: of a report its contact, as its From leads nowhere."""
    headers = holder.told.headers
    found = {headers.sender, headers.reply_to} if report is None else {report.contact_email or ""}
    return frozenset(found - {""})


class _Reading:
    """What was found so far."""

    def __init__(self, keyring: Keyring, senders: frozenset[str]) -> None:
        self.keyring = keyring
        self.senders = senders
        self.keys: list[OfferedKey] = []
        self.refused: list[Attachment] = []
        self.problems: list[str] = []
        self.files_left = MOST_KEYS

    def names(self, key: OfferedKey) -> bool:
        """Tell whether a user id names who wrote."""
        return not self.senders.isdisjoint(key.addresses)

    def take_named(self, blocks: list[bytes]) -> bool:
        """Take the keys that name the sender, tell of the others, and say whether there were any to take."""
        found = read_offers(self.keyring, blocks, "attached", self.problems)
        taken = [key for key in found if self.names(key)]
        self.problems += [_ELSES.format(key.fingerprint) for key in found if key not in taken]
        self.keys += taken
        return bool(taken)

    def take_files(self, contents: Sequence[Content], *, is_named: bool) -> None:
        """Take the keys in files; `is_named`: only those that name the sender."""
        for part in [part for content in contents for part in content.key_parts]:
            is_read = self.files_left > 0 and self._take_file(part, is_named=is_named)
            self.files_left -= 1
            # A file with words around its keys is an attachment already.
            self.refused += [] if is_read or not holds_only_keys(part.content()) else [as_attachment(part)]

    def _take_file(self, part: Part, *, is_named: bool) -> bool:
        blocks = key_file_blocks(part.content())
        if is_named:
            return self.take_named(blocks)
        found = read_offers(self.keyring, blocks, "attached", self.problems)
        self.keys += found
        return bool(found)
