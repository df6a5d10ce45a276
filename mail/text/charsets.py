# SPDX-License-Identifier: AGPL-3.0-or-later
"""From bytes to characters, also where a letter says a false charset, or none (RFC 2045, 5.2)."""

import codecs
import contextlib
import re
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

import webencodings

from mail.text.charset_guess import guess
from mail.text.cp50221 import decode_jis, looks_like_jis

_LIE = (LookupError, ValueError)
_SAMPLE = 4096
"""Bytes from which a charset is guessed."""
_MOST_SAMPLED = 64 * 1024
"""Bytes of one letter from which charsets are guessed; each takes some microseconds."""
_LEAST_SAMPLED = 256
"""What a shorter text, such as a file's name, counts for: a guess takes its time however short it is."""
_UNFIT = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"})
"""Codecs that are no charsets of mail; the first two take quadratic time."""
_MEANT = {
    "iso8859-1": "cp1252",
    **dict.fromkeys(("gb2312", "gbk"), "gb18030"),
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "iso2022_jp": "iso2022_jp_ext",
}
"""What mail programs write when they say the smaller charset (WHATWG Encoding, 4.2)."""
_ALIASES = {
    "ks_c_5601": "cp949",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-6-i": "iso8859-6",
    "windows-31j": "cp932",
    "windows-874": "cp874",
    "x-gbk": "gb18030",
    "x-sjis": "cp932",
    "x-mac-cyrillic": "mac_cyrillic",
    "unicode-1-1-utf-7": "utf-7",
    "utf8mb4": "utf-8",
    "ansi": "cp1252",
    **dict.fromkeys(("x-mac-ce", "mac-ce", "x-mac-centraleurroman", "mac-centraleurope"), "mac_latin2"),
}
_ASCII = "ascii"
_PAGE = re.compile(r"(?:x-)?(?:cp|ibm|dos|win|windows|ms)[-_ ]?(\d{3,5})")
_ISO = re.compile(r"(?:x-)?(?:(?:cp|windows)[-_ ]?2859|(?:iso[-_ ]?)?8859[-_ ]?)(\d{1,2})")
_MAC = re.compile(r"(?:x-)?mac(?:intosh)?[-_ ]?([a-z]*)")
"""Spellings of code pages by programs that follow no registry."""
_WIDE = ("utf-16", "utf-32")
_STATEFUL = ("iso2022", "utf-7", "hz")
"""Charsets in which ASCII bytes stand for other signs."""
_LATIN = frozenset({"cp1252", "iso8859-15", "cp1250", "iso8859-2", "cp1254", "cp1257"})
_LOW, _HIGH = bytes(range(0x80)), bytes(range(0x80, 0x100))
_SURE = 6
"""Bytes beyond ASCII that are hardly ever valid UTF-8 by chance."""
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_LATIN_RUN = 1.6
"""Letters beyond ASCII stand mostly alone in Latin script, and in words in others."""
_NORTHERN = "äöüåõßÄÖÜÅÕ€".encode("iso8859-15")
"""What stands side by side in Latin script, too: Finnish, Estonian, and whoever tries out umlauts."""
_FEW = 3
_MANY = 6
_OTHER_SCRIPTS = [
    *("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp874"),
    *("gb18030", "big5", "cp932", "euc_jp", "cp949"),
]
_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")
_LETTER = re.compile(rb"[A-Za-z]")
_MARKS = b"\x80\x82\x84\x85\x8b\x91\x92\x93\x94\x96\x97\x9b\xa0\xa7\xa9\xab\xae\xb0\xb4\xb7\xbb"
"""Quotation marks and the like, which say nothing."""
_LATIN_LETTERS = bytes(range(0xC0, 0x100)) + (
    b"\x8a\x8c\x8d\x8e\x8f\x9a\x9c\x9d\x9e\x9f\xa1\xa3\xa5\xa6\xac\xaf\xb1\xb3\xb6\xb9\xbc\xbe\xbf"
)
_ODD_SIGN = re.compile(
    r"(?<=[a-z])[\x80-\x9f¹²³¼½¾¿ªºµ¶±¯¡£¥¦¬ŸŒŠŽ\ufffd]|[\x80-\x9f¹²³¼½¾ªº±¯£¥¦¬\ufffd](?=[a-z])"
)
_FEW_OTHERS = 0.2
_HALF = 0.5
_LONG_RUN = 3.0
_PAGES = (
    ("cp1252", ("en", "fr", "de", "es", "it", "pt", "nl", "sv", "da", "no", "fi", "ca", "is", "gl", "eu")),
    ("cp1250", ("hu", "pl", "ro", "sq")),
    ("iso8859-2", ("cs", "hr", "sk", "sl", "bs")),
    ("iso8859-2", ("hu", "pl", "ro", "sq")),
    ("cp1250", ("cs", "hr", "sk", "sl", "bs")),
    ("cp1254", ("tr", "az", "ku")),
    ("cp1257", ("et", "lt", "lv")),
)
"""Code pages and languages in Latin script; in doubt the first counts."""
_SURELY = 0.25
"""How much likelier another page's language must be than those of Windows-1252."""


@dataclass
class _Patience:
    """How many bytes may still be looked at to guess a charset."""

    left: int = _MOST_SAMPLED


_patience: ContextVar[_Patience | None] = ContextVar("patience", default=None)


@contextlib.contextmanager
def guessing_for_one_letter() -> Iterator[None]:
    """Guess no charsets any more, within the block, once much was looked at: a letter may have many texts.

    What comes then is read as what it says, or as Windows-1252.
    """
    before = _patience.set(_Patience())
    try:
        yield
    finally:
        _patience.reset(before)


def _is_patient(sample: bytes) -> bool:
    patience = _patience.get()
    if patience is None:
        return True
    patience.left -= max(len(sample), _LEAST_SAMPLED)
    return patience.left >= 0


def decode(content: bytes, charset: str = "") -> tuple[str, bool]:
    """Decode by `charset` ("" when none is named), or by what the bytes look like.

    Never raises. The flag tells that it was a guess, so that some letters may be wrong.
    """
    name = _codec(charset)
    if name == _ASCII and not content.isascii():
        return decode(content)[0], True
    if content.startswith(codecs.BOM_UTF8):
        content, name = content[3:], "utf-8"
    elif content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) and b"\0" in content:
        return content.decode("utf-16", "replace"), False
    if content.isascii():
        return _decode_ascii(content, name)
    if name.startswith(_WIDE) and b"\0" in content:
        return content.decode(name, "replace"), False
    return _as_utf8(content, name) or _as_named(content, name) or (_guess(content, name), True)


def _codec(charset: str) -> str:
    """Return the name of the codec that is meant; "" for none that is fit for mail."""
    label = charset.strip().strip("\"'").lower().partition("*")[0].strip()
    name = next(filter(None, map(_known, _spellings(label))), "")
    try:
        bytes(4).decode(name, "replace")  # of no bytes at all, Python would say nothing
    except _LIE:
        return ""
    name = _MEANT.get(name, name)
    return "" if name in _UNFIT else name


def _spellings(label: str) -> Iterator[str]:
    """Yield under which names a codec may be known that a program calls by this label."""
    yield _ALIASES.get(label) or _ALIASES.get(label[:9]) or label
    by_whatwg = webencodings.lookup(label)
    if by_whatwg is not None:
        yield by_whatwg.codec_info.name
    if page := _PAGE.fullmatch(label):
        yield f"cp{page[1]}"
    if iso := _ISO.fullmatch(label):
        yield f"iso8859-{iso[1]}"
    if mac := _MAC.fullmatch(label):
        yield f"mac_{mac[1] or 'roman'}"
    yield label.removeprefix("x-")


def _known(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except _LIE:
        return ""


def _decode_ascii(content: bytes, name: str) -> tuple[str, bool]:
    is_japanese = looks_like_jis(content)
    for candidate in (name, *(("iso2022_jp_ext",) if is_japanese else ())):
        if candidate.startswith(_STATEFUL) or (candidate.startswith(_WIDE) and b"\0" in content):
            try:
                return content.decode(candidate), candidate != name
            except _LIE:
                continue
    is_said = name.startswith("iso2022_jp")
    if is_japanese or is_said:
        return decode_jis(content), not is_said
    return content.decode("ascii"), False


def _as_utf8(content: bytes, name: str) -> tuple[str, bool] | None:
    """Take UTF-8 whatever is said, where the bytes can hardly be anything else."""
    try:
        text = content.decode("utf-8")
    except ValueError:
        return None
    if name in {"", "utf-8"}:
        return text, False
    is_single_byte = name.startswith(("cp12", "iso8859", "koi8", "mac", "cp874"))
    is_sure = is_single_byte or len(content) - len(content.translate(None, _HIGH)) >= _SURE
    return (text, True) if is_sure else None


def _as_named(content: bytes, name: str) -> tuple[str, bool] | None:
    if name in {"", "utf-8"} or (name in _LATIN and _is_of_other_script(content[:_SAMPLE])):
        return None
    try:
        return content.decode(name), False
    except _LIE:
        return None


def _is_of_other_script(sample: bytes) -> bool:
    """Tell what can hardly be in Latin script: words without a letter of ASCII, and hardly others."""
    high = sample.translate(None, _LOW)
    is_northern = len(high.translate(None, _NORTHERN)) <= _FEW
    if len(high) <= _SURE or is_northern or _high_in_a_run(sample) < _LATIN_RUN:
        return False
    words = _WORD.findall(sample)
    others = [word for word in words if len(word) >= _FEW and not _LETTER.search(word)]
    # Somebody who writes which keys do not work, small and capital, writes no words.
    spelled = [word.decode("cp1252", "replace") for word in others]
    small = {sign.upper() for word in spelled if word.islower() for sign in word}
    if any(word.isupper() and small.issuperset(word) for word in spelled):
        return False
    return len(others) >= _MANY or len(high) > 2 * sum(len(_LETTER.findall(word)) for word in words)


def _high_in_a_run(sample: bytes) -> float:
    runs = _HIGH_RUN.findall(sample)
    return sum(map(len, runs)) / max(1, len(runs))


def _guess(content: bytes, name: str) -> str:
    damaged = content.decode("utf-8", "replace")
    bad = damaged.count("\ufffd")
    if sum(1 for sign in damaged if not sign.isascii()) > bad * 3:
        return damaged
    sample = _whole_words(content)
    if name in _LATIN and not _is_of_other_script(sample):
        return content.decode(name, "replace")
    if not _is_patient(sample):
        return content.decode(name or "cp1252", "replace")
    latin = _latin_page(sample) if _is_latin(sample) else ""
    found = latin or guess(sample) or _other_page(sample) or name or "cp1252"
    try:
        return content.decode(found)
    except _LIE:
        return content.decode(found if found.startswith(_WIDE) or not latin else "latin-1", "replace")


def _is_latin(sample: bytes) -> bool:
    """Words in Latin script have letters of ASCII in them, too."""
    high = sample.translate(None, _LOW + _MARKS)
    if len(high.translate(None, _LATIN_LETTERS)) > len(high) * _FEW_OTHERS:
        return False
    words = [word for word in _WORD.findall(sample) if not word.isascii()]
    latin = sum(_LETTER.search(word) is not None for word in words)
    run = _high_in_a_run(sample)
    return (latin >= len(words) * _HALF and run < _LONG_RUN) or run < _LATIN_RUN


def _whole_words(content: bytes) -> bytes:
    """Cut a sample where no sign of several bytes can be cut."""
    if len(content) <= _SAMPLE:
        return content
    end = max(content.rfind(b"\n", 0, _SAMPLE), content.rfind(b" ", 0, _SAMPLE))
    return content[: end if end > 0 else _SAMPLE]


def _latin_page(sample: bytes) -> str:
    # Imported here: letters that tell their charset truly need no guess, and the model is large.
    from mail.text.language import likelihood  # noqa: PLC0415

    first, *others = (
        (round(likelihood(text := sample.decode(page, "replace"), codes) - _oddity(text), 1), page)
        for page, codes in _PAGES
    )
    worth, best = max(others, key=lambda one: one[0])
    return best if worth > first[0] + _SURELY else first[1]


def _oddity(text: str) -> float:
    """Say which share of the letters beyond ASCII are signs in or at words, or capitals behind small ones."""
    odd = len(_ODD_SIGN.findall(text))
    return odd / max(1, sum(1 for sign in text if not sign.isascii()))


def _other_page(sample: bytes) -> str:
    if len(sample.translate(None, _LOW)) <= _FEW:
        return ""
    # Imported here, as above: 4 MB.
    from charset_normalizer import from_bytes  # noqa: PLC0415

    best = from_bytes(sample, cp_isolation=_OTHER_SCRIPTS).best()
    return best.encoding if best is not None else ""
