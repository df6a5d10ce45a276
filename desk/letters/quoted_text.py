# SPDX-License-Identifier: AGPL-3.0-or-later
"""What of a letter's text is the person's own, what is quoted and what is a signature; nothing is taken away.

Written here: email-reply-parser and mail-parser-reply take more than ten seconds for 60 KB of hostile text
(nested repetitions in their expressions) and know 1 and 13 languages, quotequail 10, talon brings lxml and a
classifier. This looks at each line a fixed number of times.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from desk.letters.quote_marks import (
    DATE_FIRST,
    FORWARDED,
    FROM,
    ORIGINAL,
    OTHER_FIELDS,
    SENT_FROM,
    SENT_FROM_ENDS,
    WROTE,
)

_LINES = 20_000
"""Lines that are looked at; what comes after counts as the person's own."""
_SEEN = 400
"""Characters of a line that are looked at."""
_ATTRIBUTION_LINES = 3
_ATTRIBUTION_CHARS = 300
_HEADER_LINES = 7
_SIGNATURE_LINES = 30
_SHORT_QUOTE = 3
"""Quoted lines which an answer below follows are not folded, up to this number: they are what it answers."""
_DATE = re.compile(r"\d{1,2}[:.h時点：]\d\d|\d{4}")
_COLONS = (":", "：")
_DASHES = re.compile(r"[-_=—]{3,}")


class PieceKind(StrEnum):
    """Whose words they are."""

    OWN = "own"
    QUOTE = "quote"
    SIGNATURE = "signature"


@dataclass(frozen=True)
class Piece:
    """Some whole lines of a text."""

    kind: PieceKind
    text: str

    @property
    def lines(self) -> int:
        """How many lines it has that are not empty."""
        return sum(1 for line in self.text.split("\n") if line.strip())


@dataclass(frozen=True)
class Folded:
    """A text to be shown; `quoted` and `signed` count the lines that are folded away."""

    text: str
    quoted: int = 0
    signed: int = 0


def fold(text: str) -> Folded:
    """Fold quotes and signatures to a line each; a text that holds nothing else is shown as it is."""
    pieces = split(text)
    if not any(piece.kind is PieceKind.OWN and piece.text.strip() for piece in pieces):
        return Folded(text)
    shown: list[str] = []
    quoted = signed = 0
    for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
        if piece.kind is PieceKind.OWN or _is_answered(piece, following):
            shown.append(piece.text)
            continue
        is_quote = piece.kind is PieceKind.QUOTE
        quoted += piece.lines if is_quote else 0
        signed += 0 if is_quote else piece.lines
        shown.append(f"[{_count(piece.lines, 'quoted line' if is_quote else 'line of signature')}]\n")
        shown += ["\n"] if following and piece.text.endswith("\n\n") else []
    return Folded("".join(shown).rstrip("\n") if quoted or signed else text, quoted, signed)


def own_words(text: str) -> str:
    """Return only what the person wrote; all of it when there is nothing else."""
    own = "".join(piece.text for piece in split(text) if piece.kind is PieceKind.OWN)
    return own if own.strip() else text


def _is_answered(piece: Piece, following: Piece | None) -> bool:
    if piece.kind is not PieceKind.QUOTE or not piece.text.startswith(">") or piece.lines > _SHORT_QUOTE:
        return False
    return following is not None and following.kind is PieceKind.OWN and bool(following.text.strip())


def _count(number: int, what: str) -> str:
    first, _, rest = what.partition(" of ")
    plural = first if number == 1 else f"{first}s"
    return f"{number} {plural}{f' of {rest}' if rest else ''}"


def split(text: str) -> list[Piece]:
    """Split a text with LF line ends into pieces which, joined, are the text."""
    lines = text.split("\n")
    kinds = _kinds(lines[:_LINES]) + [PieceKind.OWN] * (len(lines) - _LINES)
    ends = [line + "\n" for line in lines[:-1]] + lines[-1:]
    pieces: list[Piece] = []
    for kind, run in groupby(zip(kinds, ends, strict=True), key=lambda pair: pair[0]):
        pieces.append(Piece(kind, "".join(line for _, line in run)))
    return pieces


def _kinds(lines: Sequence[str]) -> list[PieceKind]:
    stripped = [line[:_SEEN].strip() for line in lines]
    kinds = [PieceKind.QUOTE if line.startswith(">") else PieceKind.OWN for line in stripped]
    end = len(lines)
    for at, line in enumerate(stripped):
        if not line or kinds[at] is PieceKind.QUOTE:
            continue
        if _is_forward(line):
            kinds[at:] = [PieceKind.OWN] * (len(lines) - at)
            end = at
            break
        begin = _rest_begins(stripped, at)
        if begin is not None:
            kinds[begin:] = [PieceKind.QUOTE] * (len(lines) - begin)
            end = begin
            break
        if line.endswith(_COLONS):
            _mark_attribution(stripped, at, kinds)
    _mark_signatures(lines, stripped, kinds, end)
    _join_blanks(stripped, kinds)
    return kinds


def _is_forward(line: str) -> bool:
    if line[0] not in "-_=" and not line.endswith(_COLONS):
        return False
    return line.strip("-_= :：\xa0").lower() in FORWARDED


def _rest_begins(lines: Sequence[str], at: int) -> int | None:
    """Return where a quote begins that lasts to the end, if the line at `at` shows that it does."""
    line = lines[at]
    if line.startswith("--") and line.strip("- \xa0").lower() in ORIGINAL:
        return at
    if _begins_headers(lines, at):
        return at - 1 if at and _DASHES.fullmatch(lines[at - 1]) else at
    if line.endswith(_COLONS) and not _next_is_quoted(lines, at):
        begin = _attribution_begins(lines, at)
        if begin is not None and _is_certain(" ".join(lines[begin : at + 1])):
            return begin
    return None


def _field(line: str) -> str:
    """Return the name of a header field, lower case, if the line can be one."""
    name, colon, _ = line[:40].lstrip("* ").replace("：", ":", 1).partition(":")
    return name.rstrip("* \xa0").lower() if colon else ""


def _begins_headers(lines: Sequence[str], at: int) -> bool:
    if _field(lines[at]) not in FROM:
        return False
    following = {_field(line) for line in lines[at + 1 : at + _HEADER_LINES]}
    return len(following & OTHER_FIELDS) > 1


def _next_is_quoted(lines: Sequence[str], at: int) -> bool:
    """Tell whether the next line with words, at most two below, is quoted."""
    following = next((line for line in lines[at + 1 : at + 4] if line), "")
    return following.startswith(">")


def _attribution_begins(lines: Sequence[str], at: int) -> int | None:
    """Return where the sentence begins that ends at `at` and tells who wrote when."""
    words = ""
    for begin in range(at, max(-1, at - _ATTRIBUTION_LINES), -1):
        if not lines[begin] or lines[begin].startswith(">"):
            return None
        words = f"{lines[begin]} {words}".lower()
        if len(words) > _ATTRIBUTION_CHARS:
            return None
        if _DATE.search(words) and (_has_address_at_end(words) or any(word in words for word in WROTE)):
            return begin
    return None


def _has_address_at_end(words: str) -> bool:
    return "@" in words and words.rstrip(" :：").endswith((">", ")"))


def _is_certain(words: str) -> bool:
    """Where no line is marked as quoted, only what a program writes is taken for an attribution."""
    return (
        "@" in words
        or words.lower().startswith(DATE_FIRST)
        or any(word in words for word in ("写道", "寫道"))
    )


def _mark_attribution(lines: Sequence[str], at: int, kinds: list[PieceKind]) -> None:
    """Count the sentence above quoted lines to them."""
    if not _next_is_quoted(lines, at):
        return
    begin = _attribution_begins(lines, at)
    if begin is None and any(word in lines[at].lower() for word in WROTE):
        begin = at
    if begin is not None:
        kinds[begin : at + 1] = [PieceKind.QUOTE] * (at + 1 - begin)


def _mark_signatures(lines: Sequence[str], stripped: Sequence[str], kinds: list[PieceKind], end: int) -> None:
    """Mark what follows "-- " (RFC 3676, 4.3), and the line with which a telephone signs."""
    begin = None
    last = None
    for at in range(end):
        if kinds[at] is PieceKind.QUOTE:
            begin = None
        elif begin is not None:
            kinds[at] = PieceKind.SIGNATURE
        elif lines[at] in {"-- ", "--"} and _is_short(kinds, at, end):
            begin = at
            kinds[at] = PieceKind.SIGNATURE
        elif stripped[at]:
            last = at
        if last is not None and (at + 1 == end or kinds[at + 1] is not PieceKind.OWN):
            _mark_telephone(stripped, kinds, last)
            last = None


def _is_short(kinds: Sequence[PieceKind], at: int, end: int) -> bool:
    stop = min(end, at + _SIGNATURE_LINES + 1)
    return stop == end or PieceKind.QUOTE in kinds[at:stop]


def _mark_telephone(stripped: Sequence[str], kinds: list[PieceKind], at: int) -> None:
    line = stripped[at].lower()
    if len(line) <= 100 and (line.startswith(SENT_FROM) or line.rstrip(".。").endswith(SENT_FROM_ENDS)):  # noqa: PLR2004
        kinds[at] = PieceKind.SIGNATURE


def _join_blanks(stripped: Sequence[str], kinds: list[PieceKind]) -> None:
    """Empty lines belong to what stands above them; between two quotes, or after one, they end it."""
    for at in range(1, len(kinds)):
        if not stripped[at]:
            kinds[at] = kinds[at - 1]
