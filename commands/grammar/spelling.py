# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a command may be typed: with which exclamation mark, with a blank after it, in a code block. Pure."""

import re

from commands.grammar.words import BLANKS, INVISIBLE

# Keyboards for Chinese, Japanese and Korean have wide and small ones.
_MARKS = "!\uff01\ufe57\ufe15"
_BEGIN = re.compile(rf"{BLANKS}[{_MARKS}](?:[^\S\n]|[{INVISIBLE}])*(?=[^\W\d_])")
_BLOCK = re.compile(rf"{BLANKS}(?P<fence>`{{3,}}|~{{3,}})[^\n`]*\n(?P<words>.*?)\n?(?P=fence)\s*", re.DOTALL)


def is_command(text: str) -> bool:
    """Tell whether a text has the looks of a command."""
    return command_in(text) is not None


def command_in(text: str) -> str | None:
    """Return the command that a text is, without its mark; None when it is none.

    A code block of its own may hold it; within a line, backticks quote it.
    """
    code = _BLOCK.fullmatch(text)
    words = code["words"] if code else text
    begin = _BEGIN.match(words)
    return words[begin.end() :] if begin else None
