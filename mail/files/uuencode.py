# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files that stand in a text as lines of uuencode (POSIX.1), as programs without MIME send them."""

import re

from mail.text.transfer_encoding import decode_transfer

_BEGIN = re.compile(
    rb"^begin [0-7]{3,4} ([^\r\n]{1,200})\r?\n(?=M[!-`]{60}|[ -L`][ -`]{4,80}\r?\n)", re.MULTILINE
)
_END = re.compile(rb"^end[ \t]*\r?$\n?", re.MULTILINE)
_MOST = 20


def take_out_files(text: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Part a text from the files in it, at most 20: what is left, and each file's name and content.

    In their places stand their names. One without an end stays in the text. Takes linear time.
    """
    kept: list[bytes] = []
    files: list[tuple[str, bytes]] = []
    at = 0
    while len(files) < _MOST and (begin := _BEGIN.search(text, at)):
        end = _END.search(text, begin.end())
        if end is None:
            break
        files.append((_name(begin[1]), decode_transfer(text[begin.start() : end.end()], "x-uuencode")))
        kept += [text[at : begin.start()], b"[", begin[1], b"]\n"]
        at = end.end()
    return b"".join((*kept, text[at:])), files


def _name(given: bytes) -> str:
    return given.decode("utf-8", "replace")
