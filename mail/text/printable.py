# SPDX-License-Identifier: AGPL-3.0-or-later
"""Text that can be shown: LF line ends, no control characters, nothing that turns or hides words."""

import re

_CONTROLS = bytes({*range(0x20), 0x7F} - {0x09, 0x0A})
_UNSEEN_BYTES = re.compile(
    rb"\xc2[\x80-\x9f\xad]|\xd8\x9c|\xe1\xa0\x8e|\xe2\x80[\x8b\x8e\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]"
    rb"|\xef\xbb\xbf|\xef\xbf[\xb9-\xbb]|\xf3\xa0[\x80\x81]"
)
"""The signs below, as UTF-8; looking for them in bytes takes a tenth of the time."""
_LINE_ENDS = re.compile("[\x0b\x0c\x85\u2028\u2029]")
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202c\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Direction marks (right-to-left texts are full of them), zero-width signs and tags: left out."""
_TURNING = re.compile("[\u202d\u202e]")
"""Overrides: what is shown reads differently from what is there."""
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")


def readable(text: str) -> str:
    """Return `text` with LF line ends; control characters become U+FFFD, bidi overrides are spelled out."""
    plain = text.encode("utf-8", "replace")
    printable = plain.translate(None, _CONTROLS)
    has_unseen = not plain.isascii() and _UNSEEN_BYTES.search(plain)
    # All that was taken out were the CRs of line ends. Leaving bytes out is far quicker than replacing them.
    if len(plain) - len(printable) == plain.count(b"\r\n") and not has_unseen:
        return printable.decode("utf-8")
    plain = plain.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    shown = _INVISIBLE.sub("", _LINE_ENDS.sub("\n", plain.decode("utf-8")))
    shown = _TURNING.sub(lambda sign: f"<U+{ord(sign[0]):04X}>", shown)
    return _CONTROL.sub("\ufffd", shown)
