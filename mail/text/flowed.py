# SPDX-License-Identifier: AGPL-3.0-or-later
"""Text that was wrapped for sending, with its paragraphs whole again (RFC 3676)."""

_SIGNATURE = "-- "


def unflow(text: str, *, delete_space: bool) -> str:
    """Join the lines of a format=flowed text, LF line ends; `delete_space` is its DelSp parameter.

    Quoted lines keep their marks, with a blank after them; space-stuffing is undone.
    """
    done: list[str] = []
    flowing: list[str] = []
    depth = 0
    for line in text.split("\n"):
        new_depth, words = _unquoted(line)
        if flowing and (new_depth != depth or words == _SIGNATURE):
            done.append(_paragraph(depth, flowing))
            flowing = []
        depth = new_depth
        is_open = words.endswith(" ") and words != _SIGNATURE
        flowing.append(words[:-1] if is_open and delete_space else words)
        if not is_open:
            done.append(_paragraph(depth, flowing))
            flowing = []
    return "\n".join([*done, _paragraph(depth, flowing)] if flowing else done)


def _unquoted(line: str) -> tuple[int, str]:
    words = line.lstrip(">")
    return len(line) - len(words), words.removeprefix(" ")


def _paragraph(depth: int, lines: list[str]) -> str:
    marks = ">" * depth
    words = "".join(lines)
    return f"{marks} {words}" if marks and words else marks + words
