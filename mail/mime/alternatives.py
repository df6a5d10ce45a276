# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether two forms of one text (RFC 2046, 5.1.4) say the same. Pure."""

import re
from itertools import islice

_NO_LETTERS = re.compile(r"[\W_]+")
_WORD = re.compile(r"[^\W\d_]{3,}")
_QUOTED = re.compile(r"^>.*$", re.MULTILINE)
_SHORT = 2000
"""Letters and digits past which a text is no mere hint that there is another form."""
_LOOKED_AT = 500
_FEWEST = 5
"""Words that one form has more than the other: a few are those of pictures and links."""


def letters(text: str) -> str:
    """Return what forms of a text are compared by: its letters and digits without all else."""
    return _NO_LETTERS.sub("", text.casefold())


def is_copy(other: str, known: str) -> bool:
    """Tell whether another form has no letter that stands not in a text, in the same order.

    `known` are the text's `letters`.
    """
    return letters(other) in known


def says_more(other: str, known: str) -> bool:
    """Tell whether a text is short and most words of its other form, without quotes, are not in it.

    `known` are the text's `letters`.
    """
    if len(known) > _SHORT:
        return False
    found = islice(_WORD.finditer(_QUOTED.sub("", other).casefold()), _LOOKED_AT)
    words = {word[0] for word in found}
    missing = sum(word not in known for word in words)
    return missing >= _FEWEST and missing * 2 > len(words)
