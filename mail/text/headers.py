# SPDX-License-Identifier: AGPL-3.0-or-later
"""The only reader of a letter's header fields."""

import binascii
import contextlib
import inspect
import re
import string
from collections.abc import Iterable
from email.errors import HeaderParseError
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses, mktime_tz, parsedate_tz

import idna

from mail.limits import ADDRESS_FIELDS, ADDRESSES, HEADER_VALUE
from mail.text.charsets import decode

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\\s]+")
_DECEIVING = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_LOST_FOLD = re.compile(rb";[ \t]{0,20}\r?\n(?=[A-Za-z][A-Za-z0-9*-]{0,40}[ \t]{0,20}=)")
"""A header broken before a parameter, without the blank that folds it."""
_STRAY_LINE = re.compile(rb"\r?\n(?![!-9;-~]*:|[ \t]|\r?\n|\Z)")
_STRAYS_IN_FRONT = re.compile(rb"\A(?:(?![!-9;-~]*:|[ \t])[^\n]+\n)+(?=[!-9;-~]+:)")
_ANGLED = re.compile(r"<[^<>\s]{1,900}>")
_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,200}@[^\s@<>()\[\],;:\\\"]{1,255}")
_NEEDLESS_QUOTES = re.compile(r"\A\"([^\s@<>()\[\],;:\\\"]{1,200})\"(?=@)")
_QUOTED_ADDRESS = re.compile(r"\"(?:[^@<>\"\\]|\\[^@<>]){1,200}\"@[^\s@<>()\[\],;:\\\"]{1,255}")
_AMONG_WORDS = re.compile(
    r"\"[^\"\\]*(?:\\.[^\"\\]*)*(?:\"|\\?\Z)|\([^()]*\)|<[^<>]*>?|[^\"<>,;:()]++(?=<)|([^\"<>,;:()]++)"
)
"""Quoted strings, comments, angled addresses and their names stay; else words, perhaps with an address."""
_ADDRESS_AS_NAME = re.compile(
    r"\"[^\"\\]*(?:\\.[^\"\\]*)*(?:\"|\\?\Z)|\([^()]*\)"
    r"|(?:^|(?<=,))\s*([^\"<>,;:()]{0,200}@[^\"<>,;:()]{0,200}?)\s*(?=<[^<>@]{1,200}@[^<>]{1,300}>)"
)
"""Quoted strings, closed or not, and comments stay; else a name with an at sign in it, before an address."""
_COMMA_FOR_SEMICOLON = re.compile(r'(?<![\\=])",(\s*[A-Za-z-]{1,40}=)')
_MBOX_LINES = re.compile(rb"\A(?:>?From [^\n]*\n)+")
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?([^?]{0,2000})\?=")
_ENCODED_WORDS = re.compile(rf"(?:{_ENCODED_WORD.pattern}\s*)*{_ENCODED_WORD.pattern}")
_NOT_BASE64 = bytes(set(range(256)) - set(string.ascii_letters.encode() + string.digits.encode() + b"+/"))
_AS_FAR_AS_READ = {"strict": False} if "strict" in inspect.signature(getaddresses).parameters else {}
"""Newer releases of Python drop all addresses of a field where one is odd, unless they are told not to."""
_BROKEN = (HeaderParseError, LookupError, RecursionError, TypeError, ValueError)
"""What the standard library raises for hostile headers (RecursionError: a thousand nested comments)."""


def safe_text_line(text: str) -> str:
    """One line of shown text: control characters collapsed to a blank, invisible and bidi ones escaped."""
    plain = text.encode("utf-8", "replace").decode("utf-8")
    return _DECEIVING.sub(lambda sign: f"<U+{ord(sign[0]):04X}>", _CONTROLS.sub(" ", plain)).strip()


def safe_header(value: str, charset: str = "utf-8") -> str:
    """Decode a raw header value (RFC 2047, RFC 6532) to one harmless line; never raises.

    `value` holds undecodable bytes as surrogates, as the standard library's parser leaves them; `charset` is
    what they are likely to be in.
    """
    return safe_text_line(_decoded(value[:HEADER_VALUE], charset)[0])


def _decoded(value: str, charset: str) -> tuple[str, bool]:
    """Return a value as text, and whether a charset was guessed for it."""
    text, guessed = value, False
    if not value.isascii():
        text, guessed = decode(value.encode("utf-8", "surrogateescape"), charset)
    if "=?" not in text:
        return text, guessed
    found = [(words, *_decode_words(words)) for words in _ENCODED_WORDS.finditer(text)]
    pieces, at = [], 0
    for words, decoded, is_guess in found:
        pieces += [text[at : words.start()], decoded]
        at, guessed = words.end(), guessed or is_guess
    return "".join([*pieces, text[at:]]), guessed


def _decode_words(words: re.Match[str]) -> tuple[str, bool]:
    """Decode words that follow each other in one charset together: a sign may be cut between them."""
    stretches: list[tuple[str, bytes]] = []
    for charset, encoding, encoded in _ENCODED_WORD.findall(words[0]):
        content = _decode_word(encoded.encode("utf-8", "replace"), is_base64=encoding in "bB")
        if stretches and stretches[-1][0] == charset.lower():
            content = stretches.pop()[1] + content
        stretches.append((charset.lower(), content))
    decoded = [decode(content, charset) for charset, content in stretches]
    return "".join(text for text, _ in decoded), any(guessed for _, guessed in decoded)


def _decode_word(encoded: bytes, *, is_base64: bool) -> bytes:
    if not is_base64:
        return binascii.a2b_qp(encoded, header=True)
    signs = encoded.translate(None, _NOT_BASE64)
    # One sign too many says nothing; a missing end is common.
    signs = signs[:-1] if len(signs) % 4 == 1 else signs
    return binascii.a2b_base64(signs + b"=" * (-len(signs) % 4))


class HeaderBlock:
    """The header fields of a letter or of one of its parts."""

    def __init__(self, raw: bytes) -> None:
        """Read `raw`, the header lines without the empty line that ends them."""
        unfolded = _LOST_FOLD.sub(b"; ", _MBOX_LINES.sub(b"", raw, count=1))
        unfolded, in_front = _STRAYS_IN_FRONT.subn(b"", unfolded)
        unfolded, strays = _STRAY_LINE.subn(b" ", unfolded)
        self.has_strays = bool(strays or in_front)
        """Whether lines without a colon stood among the fields; they count to the line before, if any."""
        message = BytesHeaderParser(policy=compat32).parsebytes(unfolded)
        self._fields: dict[str, list[str]] = {}
        self._params: dict[str, dict[str, str]] = {}
        self._decoded: dict[str, tuple[str, ...]] = {}
        self._mailboxes: dict[str, tuple[tuple[str, str], ...]] = {}
        for name, value in message.raw_items():
            self._fields.setdefault(name.lower(), []).append(str(value))

    def names(self) -> frozenset[str]:
        """Return the names of the fields there are, lower case."""
        return frozenset(self._fields)

    def raw(self, name: str) -> list[str]:
        """Return all values of a field as they came, each cut to 8 KB."""
        return [value[:HEADER_VALUE] for value in self._fields.get(name.lower(), [])]

    def whole(self, name: str) -> list[str]:
        """Return all values of a field as they came, uncut."""
        return list(self._fields.get(name.lower(), []))

    def all(self, name: str) -> list[str]:
        """Return all values of a field, decoded and harmless."""
        key = name.lower()
        if key not in self._decoded:
            self._decoded[key] = tuple(safe_header(value, self._charset(value)) for value in self.raw(key))
        return list(self._decoded[key])

    def is_guessed(self, name: str) -> bool:
        """Tell whether a charset was guessed to read a field."""
        return any(_decoded(value, self._charset(value))[1] for value in self.raw(name))

    def _charset(self, value: str) -> str:
        """Return in which charset bytes of a field may be: unencoded ones are mostly in that of the text."""
        return "" if value.isascii() else self.params("content-type").get("charset", "")

    def one(self, name: str) -> str:
        """Return the first value of a field, decoded and harmless; empty when there is none."""
        return next(iter(self.all(name)), "")

    def token(self, name: str) -> str:
        """Return what a field says before its parameters, in lower case; of those of MIME one word."""
        said = self.one(name).partition(";")[0].strip().lower()
        return said.partition(" ")[0] if name.startswith("content-") else said

    def addresses(self, name: str) -> list[tuple[str, str]]:
        """Return (display name, address in lower case) of the first 100 mailboxes of a field.

        Of fields that are there again and again, the first 20 are read.
        """
        key = name.lower()
        if key not in self._mailboxes:
            self._mailboxes[key] = tuple(read_addresses(self.raw(key)[:ADDRESS_FIELDS]))
        return list(self._mailboxes[key])

    def message_ids(self, name: str) -> tuple[str, ...]:
        """Return the message ids of a field, with their angle brackets, oldest first."""
        # Of long ones the end counts: it names the letters before this one.
        values = (safe_header(value[-HEADER_VALUE:]) for value in self.whole(name))
        return tuple(_ANGLED.findall(" ".join(values)))

    def params(self, name: str) -> dict[str, str]:
        """Return the parameters of a field by lower-case name (RFC 2231 decoded), values as they came."""
        key = name.lower()
        if key not in self._params:
            self._params[key] = self._read_params(key)
        return self._params[key]

    def _read_params(self, name: str) -> dict[str, str]:
        field = Message(policy=compat32)
        given = next(iter(self.raw(name)), "").encode("utf-8", "surrogateescape")
        value = _CONTROLS.sub(" ", decode(given, "utf-8")[0])
        # Some programs set a comma between parameters; read on, else the next belongs to the charset's name.
        field["x"] = _COMMA_FOR_SEMICOLON.sub(r'";\1', value)
        try:
            found = field.get_params(failobj=[], header="x")
        except _BROKEN:
            return {}
        params: dict[str, str] = {}
        # The extended form of a parameter counts more than the plain one (RFC 6266, 4.3).
        for key, value in sorted(found[1:], key=lambda pair: isinstance(pair[1], str)):
            params.setdefault(key.lower(), _parameter(value))
        return params


def _parameter(value: str | tuple[str | None, str | None, str]) -> str:
    if isinstance(value, str):
        return value
    charset, _, encoded = value
    return decode(encoded.encode("latin-1", "replace"), charset or "utf-8")[0]


def instant(fields: HeaderBlock) -> float | None:
    """Return the moment in the Date field, in seconds since 1970; None where none can be read."""
    parts = parsedate_tz(fields.one("date"))
    try:
        return float(mktime_tz(parts)) if parts is not None else None
    except (ValueError, OverflowError):
        return None


def addresses_in(words: str) -> list[str]:
    """Return what looks like an address among words, lower case."""
    return [found.lower() for found in _ADDRESS.findall(words)]


def _safe_address(address: str) -> str:
    """Return an address in one spelling: the domain in A-labels (RFC 5890), no needless quotation marks."""
    plain = safe_header(address).lower()
    if plain.startswith("'") and plain.endswith("'"):  # as Outlook writes them
        plain = plain[1:-1]
    local, _, domain = plain.removesuffix(".").rpartition("@")
    with contextlib.suppress(idna.IDNAError, UnicodeError):
        domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    return _NEEDLESS_QUOTES.sub(r"\1", f"{local}@{domain}", count=1)


def _in_brackets(words: re.Match[str]) -> str:
    """Put an address among words in angle brackets, and the words into quotation marks, as it should be."""
    if words[1] is None or "@" not in words[1]:
        return words[0]
    split = words[1].split()
    found = [word for word in split if _ADDRESS.fullmatch(word)]
    if len(found) != 1:
        return words[0]
    name = " ".join(word for word in split if word != found[0]).replace("\\", "")
    if name:
        return f' "{name}" <{found[0]}> '
    comes_after_name = words.string[: words.start()].endswith(('"', ")"))
    return f" <{found[0]}> " if comes_after_name else words[0]


def _readable(value: str) -> str:
    """Return a field of addresses as the standard library can read it, whoever wrote it."""
    text = _CONTROLS.sub(" ", value[:HEADER_VALUE])
    if "=?" in text and "@" not in _ENCODED_WORDS.sub("", text):
        # Some programs encode the whole field, address and brackets included (RFC 2047, 5, forbids it).
        text = _CONTROLS.sub(" ", _decoded(text, "utf-8")[0])
    # A name that is encoded right up to the address is none of its letters.
    text = _ENCODED_WORD.sub(r"\g<0> ", text)
    if text.count(",") > ADDRESSES:
        text = ",".join(text.split(",")[:ADDRESSES])
    # A name that looks like an address must not be taken for one (RFC 5322, 3.4, wants it in quotes).
    text = _ADDRESS_AS_NAME.sub(lambda name: f' "{name[1]}" ' if name[1] else name[0], text)
    return _AMONG_WORDS.sub(_in_brackets, text)


def read_addresses(values: Iterable[str]) -> list[tuple[str, str]]:
    """Return (display name, address) of the first 100 mailboxes in raw header values (RFC 5322, 3.4)."""
    found: list[tuple[str, str]] = []
    for value in values:
        try:
            pairs = getaddresses([_readable(value)], **_AS_FAR_AS_READ)
        except (*_BROKEN, IndexError):
            continue
        found += [(safe_header(name), _safe_address(address)) for name, address in pairs]
    return [(name, address) for name, address in found if _is_address(address)][:ADDRESSES]


def _is_address(text: str) -> bool:
    return bool(_ADDRESS.fullmatch(text) or _QUOTED_ADDRESS.fullmatch(text))
