# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which charset bytes are in, judged by how usual the letters are that each would give.

A few words are enough, as in a subject or a file name, where statistics over a text have little to count.
"""

import re
import unicodedata
from collections.abc import Callable

_USUAL, _PLAIN, _RARE, _ODD = 3.0, 2.2, -0.5, -3.0
"""What a byte is worth that belongs to such a sign."""
_LEAST = 1.6
_WORD = re.compile(r"[^\W\d_]+")
_CYRILLIC = frozenset("оеаинтсрвлі")
_EAST_SLAVIC = frozenset("абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґў")
_RARE_GREEK = frozenset("ΰΐϊϋΪΫ")
_GREEK = frozenset("αοιετσνηυρπκμλςάέίόήύ")
_HEBREW = frozenset("יולהאמרתבש")
_FINAL = frozenset("ךםןףץ")
_ARABIC = frozenset("الينمرتوبة")
_THAI = frozenset("านรอกเงยมลวสดท่้ัีิไใ")
_RARE_THAI = frozenset("ฃฅฆฌฎฏฐฑฒฦฬฯฤฮฟ๏")
_HANGUL = frozenset(
    "이다는에을가지의고하로사도한기그리나자아시인어들서대있부은정라수여보전일니만과해장원제상음오면세비선주"
    "구소마안게것았성미스동으무내신용우트문메답회습입않되요네저거교통달실패알림경뉴생테"
    "와파연결처업데뒤바카타프크램버릴존재웹컴퓨터넷암호화운영체설치오류질감합니렇게님께"
)
"""Syllables that make up the most of any text in Korean."""


def guess(content: bytes) -> str:
    """Return the likeliest charset of bytes in another script than Latin; "" when none is likely."""
    found = max(_CANDIDATES, key=lambda name: _worth(content, name))
    return found if _worth(content, found) >= _LEAST else ""


def _worth(content: bytes, name: str) -> float:
    """Weigh what a charset makes of the bytes beyond ASCII, by byte."""
    try:
        text = content.decode(name)
    except ValueError:
        return _ODD
    total, size = 0.0, 0
    for at, sign in enumerate(text):
        if sign.isascii():
            continue
        width = len(sign.encode(name))
        total += _CANDIDATES[name](text, at) * width
        size += width
    mixed = _mixed(text) if name in _SINGLE_BYTE else 0.0
    return total / size - mixed if size else _ODD


def _mixed(text: str) -> float:
    """No word is written half in Latin letters, half in others."""
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    mixed = sum(any(sign.isascii() for sign in word) for word in words)
    return 2.0 * mixed / max(1, len(words))


def _is_at_end(text: str, at: int) -> bool:
    return not text[at + 1 : at + 2].isalpha()


def _is_capital_inside(text: str, at: int) -> bool:
    return text[at].isupper() and at > 0 and text[at - 1].isalpha()


def _cyrillic(text: str, at: int) -> float:
    sign = text[at]
    if not "Ѐ" <= sign <= "ґ":
        return _ODD if sign not in "«»—–№…“”„’" else 0.0
    if _is_capital_inside(text, at):
        return 1.0 if text[at - 1].isupper() else _ODD
    small = sign.lower()
    if small in _CYRILLIC:
        return _USUAL
    return _PLAIN if small in _EAST_SLAVIC else 0.5


def _greek(text: str, at: int) -> float:
    sign = text[at]
    if not "Ά" <= sign <= "ώ":
        return _ODD if sign not in "«»—–…“”’" else 0.0
    if _is_capital_inside(text, at) or (sign == "ς") != (sign in "σς" and _is_at_end(text, at)):
        return _ODD
    if sign in _RARE_GREEK:
        return 0.0
    return _USUAL if sign in _GREEK else _PLAIN


def _hebrew(text: str, at: int) -> float:
    sign = text[at]
    if not "א" <= sign <= "ת":
        return _ODD
    if sign in _FINAL:
        return _USUAL if _is_at_end(text, at) else _ODD
    return _USUAL if sign in _HEBREW else _PLAIN


def _arabic(text: str, at: int) -> float:
    sign = text[at]
    if not "ء" <= sign <= "ي":
        return 0.0 if sign in "،؛؟«»" else _ODD
    return _USUAL if sign in _ARABIC else _PLAIN


def _thai(text: str, at: int) -> float:
    sign = text[at]
    is_mark = unicodedata.category(sign) == "Mn"
    if not "ก" <= sign <= "๎" or (is_mark and not "ก" <= text[at - 1 : at] <= "๎"):
        return _ODD
    if sign in _RARE_THAI:
        return -1.0
    return _USUAL if sign in _THAI else 1.8


def _by_rows(name: str, usual: tuple[int, int], symbols: int) -> Callable[[str, int], float]:
    """Weigh Chinese by the rows of its charset, whose first ones hold what is used every day."""

    def weigh(text: str, at: int) -> float:
        coded = text[at].encode(name)
        if len(coded) != 2 or (name == "gb18030" and coded[1] < 0xA1):  # noqa: PLR2004
            return _ODD
        if coded[0] <= symbols:
            return 1.5
        return _PLAIN if usual[0] <= coded[0] <= usual[1] else _RARE

    return weigh


def _japanese(text: str, at: int) -> float:
    sign = text[at]
    if "ぁ" <= sign <= "ヿ":
        return _USUAL
    if "｡" <= sign <= "ﾟ":
        return -1.0
    coded = sign.encode("euc_jp", "ignore")
    if len(coded) != 2:  # noqa: PLR2004
        return _RARE
    if coded[0] <= 0xA3:  # noqa: PLR2004
        return 1.5
    return 2.0 if 0xB0 <= coded[0] <= 0xCF else -1.0  # noqa: PLR2004


def _korean(text: str, at: int) -> float:
    sign = text[at]
    if "가" <= sign <= "힣" and len(sign.encode("euc_kr", "ignore")) == 2:  # noqa: PLR2004
        return _USUAL if sign in _HANGUL else 1.6
    return 1.0 if sign in "·“”‘’…「」『』" else -2.0


_CANDIDATES: dict[str, Callable[[str, int], float]] = {
    **dict.fromkeys(("cp1251", "koi8_r", "koi8_u"), _cyrillic),
    "cp1253": _greek,
    "cp1255": _hebrew,
    "cp1256": _arabic,
    "cp874": _thai,
    "gb18030": _by_rows("gb18030", (0xB0, 0xD7), 0xA9),
    "big5": _by_rows("big5", (0xA4, 0xC6), 0xA3),
    "cp932": _japanese,
    "euc_jp": _japanese,
    "cp949": _korean,
}
_SINGLE_BYTE = frozenset({"cp1251", "koi8_r", "koi8_u", "cp1253", "cp1255", "cp1256", "cp874"})
