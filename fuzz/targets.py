# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is fuzzed: functions from bytes, each with the one refusal it may answer with, and what must hold."""

from collections.abc import Callable
from contextlib import suppress

from desk.letters.opened import Headers, Opened, Unopenable
from desk.letters.quoted_text import fold, own_words, split
from desk.redaction.redact import redact
from fuzz.open_keyring import OpenKeyring
from helproom.cli.inspect_mail import describe as describe_opened
from mail.files.calendar import describe
from mail.files.rtf import decompress_rtf, rtf_to_text
from mail.files.tnef import unpack
from mail.openpgp.packets import Malformed, dearmor, is_newer, packets, recipients
from mail.reading.open_letter import open_letter
from mail.text.charsets import decode
from mail.text.flowed import unflow
from mail.text.html import charset_of, html_to_text
from mail.text.printable import readable
from mail.whisperback.report import odd_fields, read_report

Target = Callable[[bytes], object]
PUMPED = 64 * 1024
_KEYRING = OpenKeyring()


def letter(data: bytes) -> Opened | None:
    """Open a letter, and say what it holds."""
    try:
        opened = open_letter(data, _KEYRING, mail_from="a@b.example")
    except Unopenable:
        return None
    describe_opened(opened)
    assert _is_clean(opened.text)
    assert _is_clean(opened.unprotected_text)
    assert all(_is_line(one.name) and _is_line(one.about) for one in opened.attachments)
    assert all(_is_line(value) for value in (opened.headers.subject, opened.headers.sender_name))
    return opened


def tnef(data: bytes) -> None:
    """Unpack winmail.dat."""
    with suppress(ValueError):
        _is_text(unpack(data).text)


def rtf(data: bytes) -> None:
    """Read Rich Text, and unpack it."""
    _is_text(rtf_to_text(data))
    with suppress(ValueError):
        decompress_rtf(data)


def html(data: bytes) -> None:
    """Read a page."""
    charset = charset_of(data)
    text = html_to_text(readable(decode(data, charset)[0]))
    assert _is_clean(readable(text))


def calendar(data: bytes) -> None:
    """Read an invitation."""
    assert _is_line(describe(data))


def charsets(data: bytes) -> None:
    """Decode bytes by the charset that their first line names."""
    name, _, content = data.partition(b"\n")
    assert _is_clean(readable(decode(content, name.decode("latin-1"))[0]))


def text(data: bytes) -> None:
    """Unwrap, fold and redact a text, and look for a report in it."""
    words = readable(data.decode("utf-8", "replace"))
    for delete_space in (False, True):
        unflow(words, delete_space=delete_space)
    assert "".join(piece.text for piece in split(words)) == words
    fold(words)
    own_words(words)


def report(data: bytes) -> None:
    """Read a WhisperBack report."""
    words = readable(data.decode("utf-8", "replace"))
    found = read_report(words, Headers(subject="Bug report: 0123456789abcdef0123456789abcdef"))
    if found is not None:
        odd_fields(found)


def redacting(data: bytes) -> None:
    """Redact a text, and once more: nothing that is left is a secret."""
    redact(readable(data.decode("utf-8", "replace")))


def pgp(data: bytes) -> None:
    """Read packets, in armor and without."""
    for message in (data, b"-----BEGIN PGP MESSAGE-----\n\n" + data + b"\n-----END PGP MESSAGE-----\n"):
        with suppress(Malformed):
            list(packets(dearmor(message)))
        with suppress(Malformed):
            recipients(message)
        is_newer(message)


TARGETS: dict[str, Target] = {
    each.__name__: each
    for each in (letter, tnef, rtf, html, calendar, charsets, text, report, redacting, pgp)
}


def pumped(target: Target) -> Target:
    """Repeat a piece from the middle up to 64 KB: what takes more than linear time shows at once."""

    def pump(data: bytes) -> object:
        if len(data) < 4:  # noqa: PLR2004
            return None
        begin, end = sorted(len(data) * one // 256 for one in data[:2])
        data = data[2:]
        piece = data[begin:end] or data
        return target(data[:begin] + piece * (PUMPED // len(piece)) + data[end:])

    return pump


def _is_text(words: str) -> None:
    words.encode()


def _is_clean(words: str) -> bool:
    """Tell whether a text can be shown: no control characters, no half surrogates."""
    _is_text(words)
    return not any(sign < " " and sign not in "\n\t" for sign in words)


def _is_line(words: str) -> bool:
    return _is_clean(words) and "\n" not in words
