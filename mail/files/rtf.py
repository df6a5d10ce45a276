# SPDX-License-Identifier: AGPL-3.0-or-later
"""The words of Rich Text, as Outlook packs it into winmail.dat.

Written here as the libraries fail on hostile text: striprtf takes a minute for 440 KB of font table, and
compressed-rtf has no limit on what it unpacks.
"""

import re
import struct
from dataclasses import dataclass, field, replace

RTF_BYTES = 512 * 1024
_WHOLE = 2 * 1024 * 1024
"""Bytes of unpacked RTF; more is cut off."""
_HEADER = struct.Struct("<IIII")
_PACKED, _PLAIN = 0x75465A4C, 0x414C454D
_WINDOW = 4096
_PRIMED = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans "
    rb"SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
"""What the window holds at the beginning ([MS-OXRTFCP], 2.1.2.1)."""
_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?[0-9]{1,9})? ?|((?:\\'[0-9a-fA-F]{2})+)|\\([^a-zA-Z'])|([{}])|([^\\{}\r\n]+)"
)
_TARGET = re.compile(rb"HYPERLINK\s+\"([^\"]{1,500})\"")
_SIGNS = {
    b"par": "\n",
    b"line": "\n",
    b"sect": "\n",
    b"page": "\n",
    b"row": "\n",
    b"tab": "\t",
    b"cell": " ",
    b"emdash": "—",
    b"endash": "–",
    b"bullet": "•",
    b"lquote": "‘",
    b"rquote": "’",
    b"ldblquote": "“",
    b"rdblquote": "”",
}
_SYMBOLS = {b"~": "\xa0", b"_": "-", b"{": "{", b"}": "}", b"\\": "\\", b"\n": "\n", b"\r": "\n"}
_UNSHOWN = frozenset(
    (b"fonttbl", b"colortbl", b"stylesheet", b"info", b"pict", b"object", b"header", b"footer", b"listtable")
)
_DEEPEST = 1000
_CODE_PAGES = {
    128: "cp932",
    129: "cp949",
    134: "gb18030",
    136: "big5",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
}
"""By the number of a font's charset."""


def decompress_rtf(packed: bytes) -> bytes:
    """Unpack compressed RTF ([MS-OXRTFCP]), at most 2 MB of it; what is cut off gives what can be had.

    Raises ValueError when it is none.
    """
    if len(packed) < _HEADER.size:
        raise ValueError("no compressed RTF")
    _, size, kind, _ = _HEADER.unpack_from(packed)
    body = packed[_HEADER.size :]
    if kind == _PLAIN:
        return body[: min(size, _WHOLE)]
    if kind != _PACKED:
        raise ValueError("no compressed RTF")
    return _inflate(body, min(size, _WHOLE))


def _inflate(body: bytes, size: int) -> bytes:
    done = bytearray(_PRIMED)
    whole = size + len(_PRIMED)
    at = 0
    while at < len(body) and len(done) < whole:
        flags, at = body[at], at + 1
        for bit in range(8):
            if not flags >> bit & 1:
                done += body[at : at + 1]
                at += 1
                continue
            reference = int.from_bytes(body[at : at + 2], "big")
            at += 2
            # A distance back from the writing place; equal places mean the end.
            distance = (len(done) - (reference >> 4)) % _WINDOW
            if at > len(body) or distance == 0:
                return bytes(done[len(_PRIMED) : whole])
            _copy(done, distance, (reference & 15) + 2)
    return bytes(done[len(_PRIMED) : whole])


def _copy(done: bytearray, distance: int, length: int) -> None:
    """Repeat what stands `distance` back; it may run into what is being written."""
    begin = len(done) - distance
    piece = done[begin : begin + length] if begin >= 0 else b" " * length
    while len(piece) < length:
        piece += piece[: length - len(piece)]
    done += piece


@dataclass
class _State:
    """What holds in one group and ends with it."""

    shown: bool = True
    skip: int = 1
    """Signs that stand for a Unicode one in readers that know none."""
    code_page: str = ""
    """That of the font; empty for that of the document."""
    target: str = ""
    begin: int = 0
    """Where a link leads whose words this group holds, and the number of pieces before them."""


@dataclass
class _Reader:
    done: list[str] = field(default_factory=list)
    state: _State = field(default_factory=_State)
    outer: list[_State] = field(default_factory=list)
    code_page: str = "cp1252"
    to_skip: int = 0
    font: int = 0
    fonts: dict[int, str] = field(default_factory=dict)
    target: str = ""

    def decode(self, content: bytes) -> str:
        code_page = self.state.code_page or self.code_page
        try:
            return content.decode(code_page, "replace")
        except LookupError:
            return content.decode("cp1252", "replace")

    def write(self, words: str) -> None:
        if self.state.shown:
            kept = words[self.to_skip :]
            self.to_skip = max(0, self.to_skip - len(words))
            self.done.append(kept)


def rtf_to_text(rtf: bytes) -> str:
    """Return the words of RTF in time linear to its size; links are followed by their targets."""
    reader = _Reader()
    for word, number, hexes, symbol, brace, words in _TOKEN.findall(rtf):
        if words:
            _read_words(reader, words)
        elif word:
            _read_word(reader, word, int(number) if number else None)
        elif brace:
            _read_brace(reader, brace)
        elif hexes:
            content = bytes.fromhex(hexes.decode("ascii").replace("\\'", ""))
            reader.write(reader.decode(content))
        elif symbol == b"*":
            reader.state.shown = False
        else:
            reader.write(_SYMBOLS.get(symbol, ""))
    return "".join(reader.done).encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip("\n")


def _read_words(reader: _Reader, words: bytes) -> None:
    found = None if reader.state.shown else _TARGET.search(words)
    if found:
        reader.target = found[1].decode("ascii", "replace")
    reader.write(reader.decode(words))


def _read_word(reader: _Reader, word: bytes, number: int | None) -> None:
    """Obey one control word; htmlrtf has none to obey: what only readers without HTML need is shown."""
    if word in _UNSHOWN:
        reader.state.shown = False
    elif word in _SIGNS:
        reader.write(_SIGNS[word])
    elif word == b"fldrslt":
        reader.state.shown = not reader.outer or reader.outer[-1].shown
        reader.state.target, reader.state.begin, reader.target = reader.target, len(reader.done), ""
    elif number is not None:
        _read_number(reader, word, number)


def _read_number(reader: _Reader, word: bytes, number: int) -> None:
    if word == b"f":
        reader.font = number
        reader.state.code_page = reader.fonts.get(number, "")
    elif word == b"fcharset":
        reader.fonts[reader.font] = _CODE_PAGES.get(number, "")
    elif word == b"ansicpg":
        reader.code_page = f"cp{number}"
    elif word == b"uc":
        reader.state.skip = min(max(number, 0), 9)
    elif word == b"u":
        reader.to_skip = 0
        reader.write(chr(number % 0x10000))
        reader.to_skip = reader.state.skip if reader.state.shown else 0


def _read_brace(reader: _Reader, brace: bytes) -> None:
    reader.to_skip = 0
    if brace == b"{":
        if len(reader.outer) < _DEEPEST:
            reader.outer.append(reader.state)
            reader.state = replace(reader.state, target="")
    elif reader.outer:
        closed, reader.state = reader.state, reader.outer.pop()
        words = "".join(reader.done[closed.begin :]).strip() if closed.target else ""
        if closed.target and words not in {closed.target, closed.target.removeprefix("mailto:")}:
            reader.write(f" <{closed.target}>")
