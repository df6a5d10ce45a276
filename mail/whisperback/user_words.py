# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the person wrote in a WhisperBack report, without the headings that the program set between."""

import re

_KEY_BEGIN = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_KEY_END = "-----END PGP PUBLIC KEY BLOCK-----"
HEADINGS = frozenset(
    {
        "What were you trying to achieve?",
        "What happened instead?",
        "What did you do that triggered this error?",
        "Name of the affected software",
        "Exact steps to reproduce the error",
        "Actual result and description of the error",
        "Desired result",
    }
)
_MOST_HEADINGS = 4
"""From 2017 to 2023 they were in the session's language, so that only their underlines are known."""


def user_words(rest: str, *, has_app: bool = False) -> str:
    """Return the answers alone: without the program's headings, their underlines, and the offered key.

    `has_app` tells that a program's own lines stand before the first heading; those may hold empty lines.
    """
    lines = _without_key(rest).split("\n")
    headings = _headings(lines)
    if has_app and headings:
        lines[: headings[0]] = [""] * headings[0]
    for at in headings:
        lines[at : at + 2] = ["", ""]
    return answers("\n".join(lines))


def answers(words: str) -> str:
    """Return words with at most one empty line between them, and none around."""
    return re.sub(r"\n{3,}", "\n\n", words).strip()


def _without_key(rest: str) -> str:
    begin = rest.rfind("\n" + _KEY_BEGIN)
    end = rest.find(_KEY_END, begin) if begin >= 0 else -1
    return rest if end < 0 else rest[:begin] + rest[end + len(_KEY_END) :]


def _headings(lines: list[str]) -> list[int]:
    """Return where the program's headings stand."""
    known = [
        at
        for at, line in enumerate(lines)
        if line.strip() in HEADINGS and set("".join(lines[at + 1 : at + 2]).strip()) <= {"-"}
    ]
    if known:
        return known
    translated = [at for at in range(len(lines) - 1) if _is_underlined(lines, at)]
    begins_so = translated and not "".join(lines[: translated[0]]).strip()
    return translated[:_MOST_HEADINGS] if begins_so else []


def _is_underlined(lines: list[str], at: int) -> bool:
    heading, underline = lines[at].strip(), lines[at + 1].strip()
    return bool(heading) and underline == "-" * len(heading)
