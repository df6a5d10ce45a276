# SPDX-License-Identifier: AGPL-3.0-or-later
"""Japanese mail with the signs that Windows adds to ISO-2022-JP, such as numbers in circles (CP50221)."""

import re

_STRETCH = re.compile(rb"\x1b(\$[@B]|\([BJI]|)([^\x1b]*)")
_UNKNOWN = re.compile(rb"\x1b(?!\$[@B]|\([BJI])")
_HALF_WIDE = b"(I"


def looks_like_jis(content: bytes) -> bool:
    """Whether there are signs of JIS, and nothing that a terminal's log has in it (colours)."""
    # A look for one byte first: it is far quicker than one for two.
    return b"\x1b" in content and b"\x1b$" in content and not _UNKNOWN.search(content)


def decode_jis(content: bytes) -> str:
    """Decode ISO-2022-JP by way of Shift JIS, for which Python knows the additions; never raises.

    What follows an unknown escape is left as it is.
    """
    begin = content.find(b"\x1b")
    head = content if begin < 0 else content[:begin]
    pieces = [head, *(_as_shift_jis(kind, signs) for kind, signs in _STRETCH.findall(content))]
    return b"".join(pieces).decode("cp932", "replace")


def _as_shift_jis(kind: bytes, signs: bytes) -> bytes:
    if not kind:
        return b"\x1b" + signs
    if kind == _HALF_WIDE:
        return bytes(sign | 0x80 for sign in signs)
    if kind.startswith(b"("):
        return signs
    # Line ends stand between the signs, as they reset the state.
    return b"\n".join(b"".join(_pairs(line)) for line in signs.split(b"\n"))


def _pairs(line: bytes) -> list[bytes]:
    """Turn rows and cells into those of Shift JIS (JIS X 0208, annex 1), where each row holds two.

    What is no row and cell is left as it is.
    """
    done = []
    for row, cell in zip(line[::2], line[1::2], strict=False):
        if not (0x21 <= row <= 0x7E and 0x21 <= cell <= 0x7E):  # noqa: PLR2004
            done.append(bytes((row, cell)))
            continue
        high = (row + 1) // 2 + (0x70 if row <= 0x5E else 0xB0)  # noqa: PLR2004
        low = cell + (0x7E if row % 2 == 0 else 0x1F + (cell > 0x5F))  # noqa: PLR2004
        done.append(bytes((high, low)))
    return [*done, line[len(line) // 2 * 2 :]]
