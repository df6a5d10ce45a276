# SPDX-License-Identifier: AGPL-3.0-or-later
"""From bytes to characters, also where a letter says a false charset, or none (RFC 2045, 5.2)."""

import codecs
import re

_LIE = (LookupError, ValueError)
_SAMPLE = 4096
"""Bytes from which a charset is guessed."""
_UNFIT = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"})
"""Codecs that are no charsets of mail; the first two take quadratic time."""
_MEANT = {
    **dict.fromkeys(("ascii", "iso8859-1"), "cp1252"),
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
}
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
_OTHER_SCRIPTS = [
    *("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp874"),
    *("gb18030", "big5", "cp932", "euc_jp", "cp949"),
]
_HEBREW = bytes(range(0xE0, 0xFB))
_KANA = re.compile("[\u3040-\u30ff]")
_PAGES = {
    **dict.fromkeys(("hu", "pl", "ro", "sq"), ("cp1250", "iso8859-2")),
    **dict.fromkeys(("cs", "hr", "sk", "sl"), ("iso8859-2", "cp1250")),
    "tr": ("cp1254",),
    **dict.fromkeys(("et", "lt", "lv"), ("cp1257",)),
}
"""Code pages of languages in Latin script for which Windows-1252 is wrong; in doubt the first counts."""


def decode(content: bytes, charset: str = "") -> tuple[str, bool]:
    """Decode by `charset` ("" when none is named), or by what the bytes look like.

    Never raises. The flag tells that it was a guess, so that some letters may be wrong.
    """
    name = _codec(charset)
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
    label = charset.strip().strip("\"'").lower().partition("*")[0]
    try:
        name = codecs.lookup(_ALIASES.get(label) or _ALIASES.get(label[:9]) or label).name
    except _LIE:
        return ""
    try:
        b"".decode(name)
    except _LIE:
        return ""
    name = _MEANT.get(name, name)
    return "" if name in _UNFIT else name


def _decode_ascii(content: bytes, name: str) -> tuple[str, bool]:
    # A look for one byte first: it is far quicker than one for two.
    is_japanese = b"\x1b" in content and b"\x1b$" in content
    for candidate in (name, *(("iso2022_jp_ext",) if is_japanese else ())):
        if candidate.startswith(_STATEFUL) or (candidate.startswith(_WIDE) and b"\0" in content):
            try:
                return content.decode(candidate), candidate != name
            except _LIE:
                continue
    return content.decode("ascii"), is_japanese


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
    high = sample.translate(None, _LOW)
    is_northern = len(high.translate(None, _NORTHERN)) <= _FEW
    return len(high) > _SURE and not is_northern and _high_in_a_run(sample) >= _LATIN_RUN


def _high_in_a_run(sample: bytes) -> float:
    runs = _HIGH_RUN.findall(sample)
    return sum(map(len, runs)) / max(1, len(runs))


def _guess(content: bytes, name: str) -> str:
    damaged = content.decode("utf-8", "replace")
    bad = damaged.count("\ufffd")
    if sum(1 for sign in damaged if not sign.isascii()) > bad * 3:
        return damaged
    sample = _whole_words(content)
    latin = _latin_page(sample) if _high_in_a_run(sample) < _LATIN_RUN else None
    found = latin or _other_page(sample) or name or "cp1252"
    try:
        return content.decode(found)
    except _LIE:
        return content.decode(found if found.startswith(_WIDE) or not latin else "latin-1", "replace")


def _whole_words(content: bytes) -> bytes:
    """Cut a sample where no sign of several bytes can be cut."""
    if len(content) <= _SAMPLE:
        return content
    end = max(content.rfind(b"\n", 0, _SAMPLE), content.rfind(b" ", 0, _SAMPLE))
    return content[: end if end > 0 else _SAMPLE]


def _latin_page(sample: bytes) -> str:
    # Imported here: letters that tell their charset truly need no guess, and the model is large.
    from mail.language import detect  # noqa: PLC0415

    language = detect(sample.decode("cp1252", "replace"))
    pages = _PAGES.get(language.code if language else "", ("cp1252",))
    return max(pages, key=lambda page: _letters(sample, page))


def _letters(sample: bytes, page: str) -> int:
    return sum(1 for sign in sample.decode(page, "ignore") if not sign.isascii() and sign.isalpha())


def _other_page(sample: bytes) -> str:
    # Imported here, as above: 4 MB.
    from charset_normalizer import from_bytes  # noqa: PLC0415

    best = from_bytes(sample, cp_isolation=_OTHER_SCRIPTS).best()
    found = best.encoding if best is not None else ""
    high = sample.translate(None, _LOW)
    if found == "cp1251" and not high.translate(None, _HEBREW):
        # Hebrew's bytes are lower-case Cyrillic letters; no Russian text does without the last five of them.
        return "cp1255"
    return "euc_jp" if found in {"cp949", "gb18030", "big5"} and _is_euc_jp(sample, len(high)) else found


def _is_euc_jp(sample: bytes, high: int) -> bool:
    """Korean and Chinese bytes are rarely kana; Japanese ones are to a third and more."""
    try:
        return len(_KANA.findall(sample.decode("euc_jp"))) * 6 > high
    except ValueError:
        return False
