# SPDX-License-Identifier: AGPL-3.0-or-later
"""Armored OpenPGP messages inside text parts (RFC 9580, 6.2 and 7)."""

import html
import re
from dataclasses import replace
from typing import Literal

from desk.letters.opened import Encryption, EncryptionState, SignatureState
from mail.limits import HTML_CHARS
from mail.mime.content import Content, clean_text, join_texts, safe_text
from mail.mime.parts import Part, read_parts
from mail.openpgp.bare_data import may_hold_data, with_marked_data
from mail.openpgp.damaged_armor import names_pgp, with_marks
from mail.openpgp.keyring import Decrypted
from mail.openpgp.packets import MESSAGE_BEGIN, MESSAGE_END, SIGNATURE_END, SIGNED_BEGIN
from mail.openpgp.status import UNREAD
from mail.protection.layers import (
    NOT_ENCRYPTED,
    LayerOpener,
    Layers,
    as_partial,
    not_as_said,
    not_opened,
    partly,
    sessions_of,
    within,
)
from mail.text.html import CUT_OFF
from mail.text.transfer_encoding import BASE64, QUOTED, UUENCODED

Armored = Literal["inline encrypted", "clearsigned"]
_MARKS: dict[Armored, tuple[bytes, bytes]] = {
    "inline encrypted": (MESSAGE_BEGIN, MESSAGE_END),
    "clearsigned": (SIGNED_BEGIN, SIGNATURE_END),
}
_TEXTS = frozenset({"text/plain", "application/pgp", "text/html"})
_NO_WORDS = frozenset(
    {"text/calendar", "text/vcard", "text/x-vcard", "text/directory", "text/rfc822-headers"}
)
_WIDE = ("utf-16", "utf16", "utf-32", "utf32", "ucs-2", "unicode")
_ENCODED = frozenset({BASE64, *UUENCODED})
_CHARSET = re.compile(rb"(?im)\A[^\n]*\n(?:[A-Za-z]+:[^\n]*\n)*?Charset:[ \t]*([A-Za-z0-9_.:-]{1,40})")
_CUT_OFF = re.compile(
    rb"-----BEGIN PGP MESSAGE-----[ \t\r]*\n"
    rb"(?:[A-Za-z-]{1,40}:[^\n]{0,200}\n){0,9}[ \t\r\n]{0,9}[A-Za-z0-9+/]{40}"
)
"""An encrypted message without its end: to be told as broken, not as open words."""
_SOME_DATA = re.compile(rb"[A-Za-z0-9+/]{40}")
"""Marks without this between them are words about an encrypted message, not one."""
_MANGLED = re.compile(
    rb"^([^\n>|]{0,200}?)-----BEGIN PGP MESSAGE-----([^-]*(?:-(?!----)[^-]*)*)-----END PGP MESSAGE-----",
    re.MULTILINE,
)
"""A message that does not begin its line, or has lost its lines; not one that is quoted."""
_WIDE_BLANK = re.compile(rb"\xc2?\xa0")
_HTML_LINE_END = re.compile(r"<(?:br|/?(?:p|div|body|pre|li|tr|h[1-6]))\b[^<>]{0,2000}>", re.IGNORECASE)
_HTML_TAG = re.compile(r"<[^<>]{0,2000}>")
_OTHERS = "The letter holds several OpenPGP messages in one text; only the first was opened."


def armored_kind(part: Part) -> Armored | None:
    """Say what armored message begins a line of a text part, if any."""
    if not _is_text(part) or not _may_hold_armor(part):
        return None
    found = _first(_content(part))
    return found[0] if found else None


def _is_text(part: Part) -> bool:
    """Tell words of any kind; of those that few programs write, only what has no name of a file."""
    is_rare = part.type.startswith("text/") and part.type not in _NO_WORDS and not part.name
    return (part.type in _TEXTS or is_rare) and not part.is_attached


def _may_hold_armor(part: Part) -> bool:
    """Look before anything is decoded."""
    encoding = part.headers.token("content-transfer-encoding")
    return encoding in _ENCODED or encoding == QUOTED or _is_wide(part) or _names_armor(part.body)


def _names_armor(text: bytes) -> bool:
    return names_pgp(text) or may_hold_data(text)


def _is_wide(part: Part) -> bool:
    """Tell a text in whose charset armor is no ASCII."""
    return part.params.get("charset", "").lower().startswith(_WIDE)


def _content(part: Part) -> bytes:
    """Return the bytes of a text; of an HTML page its words in UTF-8, with the line ends that armor needs."""
    if part.type != "text/html":
        return _with_lines(safe_text(part)[0].encode() if _is_wide(part) else part.content())
    if not _is_wide(part) and not _names_armor(part.content()):
        return b""
    page = safe_text(part)[0]
    lines = _HTML_TAG.sub("", _HTML_LINE_END.sub("\n", page[:HTML_CHARS]))
    lines += CUT_OFF if len(page) > HTML_CHARS else ""
    return _with_lines(html.unescape(lines).replace("\xa0", " ").encode())


def _with_lines(content: bytes) -> bytes:
    """Give a message back its lines where it was indented, or pasted behind words or as one line."""
    if not _names_armor(content) or _first(content):
        return content
    content = with_marks(content)
    if MESSAGE_BEGIN in content and not _first(content):
        content = _MANGLED.sub(_on_lines, content, count=1)
    return content if _first(content) else with_marked_data(content)


def _on_lines(mangled: re.Match[bytes]) -> bytes:
    before, data = mangled[1], mangled[2]
    begin = _SOME_DATA.search(data)
    if begin is None:
        return mangled[0]
    if b"\n" in data.strip():
        lines = [line.strip() for line in data.split(b"\n")[1:]]
    else:
        lines = [b"", *data[begin.start() :].split()]
    armor = b"\n".join([MESSAGE_BEGIN, *lines, MESSAGE_END])
    return before.rstrip() + b"\n" + armor + b"\n"


def _first(content: bytes) -> tuple[Armored, int, int] | None:
    """Return the kind and the span of the block that comes first."""
    found = [(*span, kind) for kind, marks in _MARKS.items() if (span := _find_block(content, marks))]
    return next(((kind, begin, end) for begin, end, kind in sorted(found)), None)


def take_off_armor(part: Part, opener: LayerOpener) -> Layers:
    """Open the first armored message of a text part; words beside it stand outside."""
    content = _content(part)
    kind, begin, end = _first(content) or ("inline encrypted", 0, 0)
    is_utf8 = part.type == "text/html" or _is_wide(part)
    charset = "utf-8" if is_utf8 else part.params.get("charset", "")
    around = b"\n\n".join(piece for piece in (content[:begin].strip(), content[end:].strip()) if piece)
    block = content[begin:end] + b"\n"
    named = _CHARSET.match(block)
    charset = named[1].decode("ascii") if named else charset
    # Webmail sets blanks of its own into the lines of armor, which is ASCII otherwise.
    opened = opener.decrypt(block if kind == "clearsigned" else _WIDE_BLANK.sub(b" ", block))
    if opened is None:
        layers = _unread(kind, clean_text(block, charset)[0])
    elif kind == "clearsigned":
        layers = _signed_text(opened, block, charset, kind)
    elif opened.encryption.state is EncryptionState.NONE and opened.signatures:
        layers = _signed_text(opened, block, charset, "inline signed")
    elif opened.encryption.state is EncryptionState.NONE:
        layers = not_as_said(kind, opened)
    else:
        layers = _decrypted_text(opened, kind, charset)
    layers = _open_inner(layers, opener) if layers.inside else layers
    if other := _first(_with_lines(around)):
        layers = _with_another(layers, is_encrypted=other[0] == "inline encrypted")
    return _mark_beside(layers, clean_text(around, charset)[0].strip())


def _with_another(layers: Layers, *, is_encrypted: bool) -> Layers:
    """Tell that one more message stands in the text; a letter with an encrypted one is no letter in clear."""
    is_clear = is_encrypted and layers.encryption.state is EncryptionState.NONE
    encryption = Encryption(EncryptionState.UNDECRYPTABLE, _OTHERS) if is_clear else layers.encryption
    return replace(layers, encryption=encryption, problems=(*layers.problems, _OTHERS))


def _unread(kind: Armored, block: str) -> Layers:
    """What is not opened any more; the words of a signed text can be read all the same."""
    shut = not_opened(kind)
    if kind == "inline encrypted":
        return shut
    return Layers(kind, outside=(Content([block]),), problems=shut.problems)


def _open_inner(layers: Layers, opener: LayerOpener) -> Layers:
    """Open a message inside the message, as when somebody signs a text and encrypts what comes out."""
    text = join_texts(layers.inside).encode()
    if _first(_with_lines(text)) is None:
        return layers
    part = read_parts(b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text)
    return within(layers, take_off_armor(part, opener))


def _decrypted_text(opened: Decrypted, form: str, charset: str) -> Layers:
    inside: tuple[Content, ...] = ()
    if opened.data is not None and opened.encryption.state is EncryptionState.OK:
        inside = (Content([clean_text(opened.data, charset)[0]]),)
    form += " and signed" if opened.signatures else ""
    return Layers(
        form,
        opened.encryption,
        inside=inside,
        signatures=opened.signatures,
        sessions=sessions_of(opened),
    )


def _signed_text(opened: Decrypted, block: bytes, charset: str, form: str) -> Layers:
    """The words under a signature; if it does not hold they stand outside, where anybody may have written."""
    signatures = opened.signatures or (UNREAD,)
    is_bad = opened.data is None or any(one.state is SignatureState.BAD for one in signatures)
    words = (Content([clean_text(block if opened.data is None else opened.data, charset)[0]]),)
    return Layers(
        form,
        NOT_ENCRYPTED,
        inside=() if is_bad else words,
        signatures=signatures,
        outside=words if is_bad else (),
    )


def _mark_beside(layers: Layers, beside: str) -> Layers:
    """Where words stand beside an armored block, its protection is told as that of a part."""
    if not beside:
        return layers
    is_open = layers.encryption.state is EncryptionState.OK
    return replace(
        layers,
        encryption=partly(layers.encryption) if is_open else layers.encryption,
        signatures=tuple(as_partial(one) for one in layers.signatures),
        outside=(Content([beside]), *layers.outside),
    )


def _find_block(content: bytes, marks: tuple[bytes, bytes]) -> tuple[int, int] | None:
    """Return the span of the first armored block (RFC 9580, 6.2 and 7)."""
    begin, end = _find_line(content, marks[0], 0), 0
    while begin >= 0:
        end = _find_line(content, marks[1], begin)
        if end < 0:
            return (begin, len(content)) if _CUT_OFF.match(content, begin) else None
        end += len(marks[1])
        if marks[1] == SIGNATURE_END or _SOME_DATA.search(content, begin, end):
            return begin, end
        begin = _find_line(content, marks[0], end)
    return None


def _find_line(content: bytes, mark: bytes, at: int) -> int:
    """Return where a line begins with a mark; a signed message inside another has its marks behind a dash."""
    found = content.find(mark, at)
    while found > 0 and content[found - 1 : found] != b"\n":
        found = content.find(mark, found + 1)
    return found
