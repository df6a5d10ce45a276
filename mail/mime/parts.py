# SPDX-License-Identifier: AGPL-3.0-or-later
"""The tree of a letter's parts as slices of its exact bytes (RFC 2046); signatures need them unchanged."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mail.files.attachments import safe_file_name
from mail.limits import Allowance, check_size
from mail.text.headers import HeaderBlock, safe_header
from mail.text.transfer_encoding import decode_transfer

_HEADER_LINE = re.compile(rb"(?:[!-9;-~]*:|[ \t])")
_KNOWN_FIELD = re.compile(
    rb"(?:From|To|Cc|Bcc|Sender|Reply-To|Subject|Date|Message-ID|In-Reply-To|References|MIME-Version|User-Agent"
    rb"|Received|Return-Path|Delivered-To|Autocrypt|DKIM-Signature|Authentication-Results|Content-[A-Za-z-]{1,40}"
    rb"|(?:X|List|ARC)-[A-Za-z0-9-]{1,40})[ \t]{0,9}:",
    re.IGNORECASE,
)
_MOST_STRAY = 4
"""Lines without a colon that may stand together among header lines."""
_MBOX_LINE = re.compile(rb">?From ")
"""What mailbox files write before the first header; anywhere else it is the first line of the text."""
_LOST_FOLD = re.compile(rb"[A-Za-z][A-Za-z0-9*-]{0,40}[ \t]*=")
_LIKE_A_BOUNDARY = re.compile(
    rb"^--([^\r\n]{1,100}?)[ \t]{0,20}\r?\n(?=Content-[A-Za-z-]{3,40}:)", re.MULTILINE
)
_AFTER_BOUNDARY = re.compile(rb"(--)?[ \t]*(?:\r?\n|\Z)")
_ANNOUNCEMENT = re.compile(rb"This is an? [\w /-]{0,60}\bmessage\b[^\r\n]{0,60}")
"""What mail programs write before the first part, for programs that know no parts."""
_TYPE = re.compile(r"([a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127})(?![^\s\"'(,])")


@dataclass(frozen=True, eq=False)
class Part:
    """One part; `begin`, `body` and `end` are offsets into `source`, the last line end left out."""

    source: bytes = field(repr=False)
    begin: int
    body_begin: int
    end: int
    headers: HeaderBlock = field(repr=False)
    type: str
    children: tuple["Part", ...] = ()
    is_guessed: bool = False
    """Whether its parts are told apart by another boundary than the one it says."""
    before: bytes = field(default=b"", repr=False)
    behind: bytes = field(default=b"", repr=False)
    """What stands around parts that are told apart by a guess, and may be words."""
    is_wrapped: bool = False
    """Whether it is a message that was wrapped in another, to protect its headers."""

    @property
    def raw(self) -> bytes:
        """The part with its headers, byte for byte."""
        return self.source[self.begin : self.end]

    @property
    def body(self) -> bytes:
        """What follows the headers, still transfer-encoded."""
        return self.source[self.body_begin : self.end]

    @property
    def params(self) -> dict[str, str]:
        """Parameters of Content-Type."""
        return self.headers.params("content-type")

    @property
    def name(self) -> str:
        """The file name a sender gave, made harmless: no folders, no control characters; may be empty."""
        given = self.headers.params("content-disposition").get("filename") or self.params.get("name") or ""
        return safe_file_name(safe_header(given))

    @property
    def is_attached(self) -> bool:
        """Whether the sender put it beside the words, as a file (RFC 2183, 2.2)."""
        return self.headers.token("content-disposition") == "attachment"

    def walk(self) -> Iterator["Part"]:
        """Yield the part and all below it, in the order of the letter."""
        yield self
        for child in self.children:
            yield from child.walk()

    def content(self) -> bytes:
        """Undo the transfer encoding (RFC 2045, 6); broken encodings give what can be had."""
        return decode_transfer(self.body, self.headers.token("content-transfer-encoding"))


def read_parts(raw: bytes) -> Part:
    """Read the structure of a letter or of a decrypted payload, in time linear to its size.

    Where no line ends with LF, CR ends them, as on old Macs.
    Raises Unopenable past a limit of `mail.limits`.
    """
    check_size(raw)
    raw = raw.replace(b"\r", b"\n") if b"\r" in raw and b"\n" not in raw else raw
    return _read(raw, 0, len(raw), 0, Allowance())


def read_payload(data: bytes) -> Part:
    """Read what was decrypted; without a field of MIME it is no MIME entity, and all of it is text.

    Raises Unopenable as `read_parts`.
    """
    part = read_parts(data)
    data = part.source
    if any(name == "mime-version" or name.startswith("content-") for name in part.headers.names()):
        return part
    return Part(
        data, 0, 0 if part.headers.names() else part.body_begin, len(data), HeaderBlock(b""), "text/plain"
    )


def _read(
    source: bytes, begin: int, end: int, depth: int, allowance: Allowance, *, in_digest: bool = False
) -> Part:
    allowance.spend_part(depth)
    headers_end, body = _find_body(source, begin, end, allowance)
    headers = HeaderBlock(source[begin:headers_end])
    type_ = headers.token("content-type")
    # Quotation marks, or no semicolon before the parameters: the type is there all the same.
    read = _TYPE.match(type_.strip("\"' "))
    type_ = read[1] if read else "text/plain"
    if in_digest and not headers.raw("content-type"):
        type_ = "message/rfc822"  # RFC 2046, 5.1.5
    boundary = headers.params("content-type").get("boundary", "").rstrip()
    if not type_.startswith("multipart/"):
        return Part(source, begin, body, end, headers, type_)
    said = boundary.encode("utf-8", "surrogateescape")
    spans = _split(source, body, end, b"--" + said, allowance) if said else []
    guess = None if spans else _LIKE_A_BOUNDARY.search(source, body, end)
    if guess:
        spans = _split(source, body, end, b"--" + guess[1], allowance)
    in_digest = type_ == "multipart/digest"
    children = tuple(
        _read(source, start, stop, depth + 1, allowance, in_digest=in_digest) for start, stop in spans
    )
    part = Part(source, begin, body, end, headers, type_, children, is_guessed=bool(guess))
    return replace(part, before=_before(part, guess.start()), behind=_behind(part)) if guess else part


def _before(part: Part, first: int) -> bytes:
    """Return what stands before the guessed boundary at `first`, unless a mail program wrote it."""
    words = part.source[part.body_begin : first].strip()
    return b"" if _ANNOUNCEMENT.fullmatch(words) else words


def _behind(part: Part) -> bytes:
    """Return what stands behind the line that closes guessed parts."""
    last = part.children[-1].end if part.children else part.body_begin
    return part.source[last : part.end].lstrip().partition(b"\n")[2].strip()


def _find_body(source: bytes, begin: int, end: int, allowance: Allowance) -> tuple[int, int]:
    """Return the ends of the header lines and of the empty line after them."""
    at, in_front = begin, True
    while at < end:
        newline = source.find(b"\n", at, min(end, at + allowance.header_bytes + 1))
        # Some programs fold a header before a parameter and leave out the blank that RFC 5322, 2.2.3, wants.
        is_fold = source.endswith((b";\n", b";\r\n"), begin, at) and _LOST_FOLD.match(source, at, end)
        in_front = in_front and bool(_MBOX_LINE.match(source, at, end))
        is_field = in_front or is_fold or _HEADER_LINE.match(source, at, end)
        if not is_field and not _goes_on(source, at, end, allowance.header_bytes):
            is_empty = source[at : min(at + 2, end)] == b"\r\n" or source[at : at + 1] == b"\n"
            return at, newline + 1 if is_empty else at
        line_end = newline + 1 if newline >= 0 else end
        allowance.spend_headers(line_end - at)
        at = line_end
    return at, at


def _goes_on(source: bytes, at: int, end: int, most: int) -> bool:
    """Tell whether header fields that everybody knows follow a line without a colon: it lies among them."""
    for _ in range(_MOST_STRAY):
        if source[at : at + 1] == b"\n" or source[at : at + 2] == b"\r\n":
            return False
        newline = source.find(b"\n", at, min(end, at + most))
        if newline < 0:
            return False
        at = newline + 1
        if _KNOWN_FIELD.match(source, at, end):
            return True
    return False


def _split(
    source: bytes, begin: int, end: int, delimiter: bytes, allowance: Allowance
) -> list[tuple[int, int]]:
    """Return the spans between the delimiter lines; the closing one may be missing.

    `begin` always follows a line end, so that every delimiter line is found by the line end before it.
    """
    needle = b"\n" + delimiter
    spans: list[tuple[int, int]] = []
    opened: int | None = None
    at = source.find(needle, begin - 1, end)
    while at >= 0:
        tail = _AFTER_BOUNDARY.match(source, at + len(needle), end)
        if tail is None:
            allowance.spend_false_boundary()
            at = source.find(needle, at + 1, end)
            continue
        if opened is not None:
            # The line end before a boundary belongs to the boundary (RFC 2046, 5.1.1).
            stop = at - 1 if source[at - 1 : at] == b"\r" else at
            spans.append((opened, max(opened, stop)))
        if tail[1]:
            return spans
        opened = tail.end()
        at = source.find(needle, opened - 1, end)
    # Servers write an opening delimiter where the closing one belongs: nothing follows it.
    if opened is not None and (not spans or source[opened:end].strip()):
        spans.append((opened, end))
    return spans
