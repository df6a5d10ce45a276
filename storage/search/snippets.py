# SPDX-License-Identifier: AGPL-3.0-or-later
"""What stands around the words that were found: a line of the newest text that has one of them."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from storage.search.scripts import has_no_spaces
from storage.search.tree import Phrase, Prefix, Word

MARK, UNMARK = "\x02", "\x03"
"""Around what was found; no text of ours or of a letter keeps such characters."""
_AROUND = 60
_ACCENTS = re.compile("[\u0300-\u036f]+")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class _Needle:
    """Words that follow each other, folded; of the last one only the begin where it is a prefix."""

    words: tuple[str, ...]
    is_prefix: bool


def snippet(texts: Iterable[str], words: Sequence[Word | Prefix | Phrase]) -> str:
    """Return a piece of the first text that has one of the words, with that marked; empty where none has."""
    parts = [word.text for word in words if has_no_spaces(word.text)]
    needles = [_needle(word) for word in words if not has_no_spaces(word.text)]
    found = (place for text in texts for place in _places(text, parts, needles))
    text, start, end = next(found, ("", 0, 0))
    return _cut(text, start, end) if end else ""


def _places(text: str, parts: Sequence[str], needles: Sequence[_Needle]) -> Iterator[tuple[str, int, int]]:
    for part in parts:
        if (at := text.find(part)) >= 0:
            yield text, at, at + len(part)
    folded = _fold(text)
    # Most texts have none of them: to look into those word by word would take long.
    likely = [needle for needle in needles if needle.words and all(word in folded for word in needle.words)]
    if likely:
        tokens = [(_fold(word.group()), word.start(), word.end()) for word in _WORD.finditer(text)]
        for needle in likely:
            yield from ((text, start, end) for start, end in _runs(tokens, needle))


def _runs(tokens: Sequence[tuple[str, int, int]], needle: _Needle) -> Iterator[tuple[int, int]]:
    size = len(needle.words)
    for first in range(len(tokens) - size + 1):
        run = tokens[first : first + size]
        if _is_run([token for token, _, _ in run], needle):
            yield run[0][1], run[-1][2]


def _is_run(tokens: Sequence[str], needle: _Needle) -> bool:
    *before, last = needle.words
    is_last = tokens[-1].startswith(last) if needle.is_prefix else tokens[-1] == last
    return is_last and list(tokens[:-1]) == before


def _needle(word: Word | Prefix | Phrase) -> _Needle:
    return _Needle(tuple(_WORD.findall(_fold(word.text))), isinstance(word, Prefix))


def _fold(text: str) -> str:
    """Return a text without accents and case, as the index compares it."""
    if text.isascii():
        return text.lower()
    return _ACCENTS.sub("", unicodedata.normalize("NFD", text)).lower()


def _cut(text: str, start: int, end: int) -> str:
    before, after = text[max(0, start - _AROUND) : start], text[end : end + _AROUND]
    if start > _AROUND:
        before = f"…{before.partition(' ')[2] or before}"
    if len(text) > end + _AROUND:
        after = f"{after.rpartition(' ')[0] or after}…"
    return f"{before}{MARK}{text[start:end]}{UNMARK}{after}"
