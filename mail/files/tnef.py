# SPDX-License-Identifier: AGPL-3.0-or-later
"""winmail.dat: the text and the files in what Outlook sends instead of MIME ([MS-OXTNEF]).

Written here as the one library for it, tnefparse, has stood still since 2021, copies the rest of the stream
for each attribute (quadratic time), opens embedded streams without end and gives no text for Outlook's RTF.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from mail.files.rtf import RTF_BYTES, decompress_rtf, rtf_to_text
from mail.text.charsets import decode
from mail.text.html import html_to_text

SIGNATURE = b"\x78\x9f\x3e\x22"
FILES = 100
_PROPERTIES = 5000
_CODE_PAGE, _BODY, _FILE_DATA, _FILE_TITLE = 0x9007, 0x800C, 0x800F, 0x8010
_FILE_BEGINS, _MESSAGE_PROPERTIES, _FILE_PROPERTIES = 0x9002, 0x9003, 0x9005
_P_BODY, _P_RTF, _P_HTML, _P_CODE_PAGE = 0x1000, 0x1009, 0x1013, 0x3FDE
_P_DATA, _P_SHORT_NAME, _P_LONG_NAME, _P_TYPE = 0x3701, 0x3704, 0x3707, 0x370E
_SIZES = {0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_STRING, _UNICODE, _BINARY, _OBJECT = 0x1E, 0x1F, 0x102, 0x0D
_MULTIPLE = 0x1000
_NAMED = 0x8000
_UTF16 = 1200
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,100}")


@dataclass
class File:
    """A file in a stream; `name` as the sender gave it."""

    name: str = ""
    type: str = "application/octet-stream"
    content: bytes = field(default=b"", repr=False)


@dataclass
class Unpacked:
    """What a stream holds."""

    text: str = ""
    files: list[File] = field(default_factory=list)


@dataclass
class _Bodies:
    code_page: str = ""
    plain: str = ""
    html: bytes = b""
    rtf: bytes = b""


def unpack(stream: bytes) -> Unpacked:
    """Unpack a TNEF stream in time linear to its size; embedded messages stay closed.

    Raises ValueError when it is not one, is cut off or holds more than 100 files.
    """
    if not stream.startswith(SIGNATURE):
        raise ValueError("no TNEF stream")
    bodies, files = _Bodies(), list[File]()
    try:
        for name, data in _attributes(stream):
            _take(name, data, bodies, files)
    except struct.error:
        raise ValueError("a TNEF stream that is cut off") from None
    return Unpacked(_text(bodies), files)


def _attributes(stream: bytes) -> Iterator[tuple[int, bytes]]:
    at = 6
    while at + 11 <= len(stream):
        name, length = struct.unpack_from("<xHxxI", stream, at)
        at += 9 + length + 2
        if at > len(stream):
            raise ValueError("a TNEF stream that is cut off")
        yield name, stream[at - 2 - length : at - 2]


def _take(name: int, data: bytes, bodies: _Bodies, files: list[File]) -> None:
    if name == _FILE_BEGINS:
        files.append(File())
        if len(files) > FILES:
            raise ValueError("too many files")
    elif name == _CODE_PAGE:
        bodies.code_page = f"cp{struct.unpack_from('<I', data)[0]}"
    elif name == _BODY:
        bodies.plain = decode(data.rstrip(b"\0"), bodies.code_page)[0]
    elif name == _MESSAGE_PROPERTIES:
        _read_bodies(data, bodies)
    elif files:
        _take_of_file(name, data, bodies.code_page, files[-1])


def _take_of_file(name: int, data: bytes, code_page: str, file: File) -> None:
    if name == _FILE_DATA:
        file.content = data
    elif name == _FILE_TITLE:
        file.name = file.name or decode(data.rstrip(b"\0"), code_page)[0]
    elif name == _FILE_PROPERTIES:
        _read_file(data, code_page, file)


def _read_bodies(data: bytes, bodies: _Bodies) -> None:
    for name, kind, value in _properties(data):
        if name == _P_CODE_PAGE:
            bodies.code_page = f"cp{struct.unpack_from('<I', value)[0]}"
        elif name == _P_BODY:
            bodies.plain = _string(kind, value, bodies.code_page)
        elif name == _P_HTML:
            bodies.html = value
        elif name == _P_RTF:
            bodies.rtf = value


def _read_file(data: bytes, code_page: str, file: File) -> None:
    for name, kind, value in _properties(data):
        if name == _P_LONG_NAME or (name == _P_SHORT_NAME and not file.name):
            file.name = _string(kind, value, code_page)
        elif name == _P_TYPE:
            given = _string(kind, value, code_page).lower()
            file.type = given if _TYPE.fullmatch(given) else file.type
        elif name == _P_DATA:
            file.content = value
            if kind == _OBJECT:
                file.type = (
                    "application/ms-tnef" if value[16:20] == SIGNATURE else "application/x-ole-storage"
                )
                file.content = value[16:]


def _properties(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (id, type, first value) of the properties of a message or a file ([MS-OXTNEF], 2.1.3.4)."""
    (count,), at = struct.unpack_from("<I", data), 4
    for _ in range(min(count, _PROPERTIES)):
        kind, name = struct.unpack_from("<HH", data, at)
        at = _after_name(data, at + 4) if name >= _NAMED else at + 4
        single = kind & ~_MULTIPLE
        values = 1
        if kind & _MULTIPLE or single not in _SIZES:
            (values,) = struct.unpack_from("<I", data, at)
            at += 4
        first = b""
        for number in range(values):
            at, value = _value(data, at, single)
            first = value if number == 0 else first
        yield name, single, first


def _after_name(data: bytes, at: int) -> int:
    """Skip the GUID and the number or name of a named property."""
    (kind,) = struct.unpack_from("<I", data, at + 16)
    if kind == 0:
        return at + 24
    (length,) = struct.unpack_from("<I", data, at + 20)
    return at + 24 + _padded(length)


def _value(data: bytes, at: int, kind: int) -> tuple[int, bytes]:
    length = _SIZES.get(kind)
    if length is None:
        if kind not in {_STRING, _UNICODE, _BINARY, _OBJECT}:
            raise ValueError("a property of an unknown type")
        (length,) = struct.unpack_from("<I", data, at)
        at += 4
    end = at + _padded(length)
    if end > len(data) + 3:
        raise ValueError("a property that is cut off")
    return end, data[at : at + length]


def _padded(length: int) -> int:
    return length + -length % 4


def _string(kind: int, value: bytes, code_page: str) -> str:
    if kind == _UNICODE:
        return value.decode("utf-16-le", "replace").rstrip("\0")
    return decode(value.rstrip(b"\0"), code_page)[0]


def _text(bodies: _Bodies) -> str:
    """Take the plain body, else the HTML one, else the RTF that Outlook sends in most cases."""
    if bodies.plain.strip():
        return bodies.plain
    if bodies.html:
        charset = "utf-16-le" if bodies.code_page == f"cp{_UTF16}" else bodies.code_page
        return html_to_text(decode(bodies.html, charset)[0])
    if bodies.rtf and len(bodies.rtf) <= RTF_BYTES:
        return rtf_to_text(decompress_rtf(bodies.rtf))
    return ""
