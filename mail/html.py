# SPDX-License-Identifier: AGPL-3.0-or-later
"""HTML mail as plain text: links show where they lead, nothing is fetched, nothing is rendered."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mail.limits import HTML_CHARS

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_DROPPED = frozenset(
    {"script", "style", "head", "title", "template", "noscript", "svg", "math", "object", "iframe"}
)
_BLOCKS = frozenset(
    (
        *(
            "address",
            "article",
            "aside",
            "blockquote",
            "body",
            "br",
            "center",
            "dd",
            "div",
            "dl",
            "dt",
            "fieldset",
        ),
        *(
            "figure",
            "footer",
            "form",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "header",
            "hr",
            "li",
            "main",
            "nav",
        ),
        *("ol", "p", "pre", "section", "table", "tr", "ul"),
    )
)
_APART = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "table", "pre"})
_OPENING = re.compile(r"<[a-zA-Z]")
_TAG = re.compile(r"<[^<>]{0,2000}>")
_UNCLOSED = 5000
"""Elements left open, past which parsing takes quadratic time and the tags are only cut out."""
_BLANKS = re.compile(r"[ \t\r\n\f]+")
_MANY_LINES = re.compile(r"\n{3,}")


def html_to_text(html: str) -> str:
    """Return the words of an HTML document, at most its first 256 K characters.

    A link whose text is not its target is followed by its target; images and scripts are dropped.
    """
    html = html[:HTML_CHARS]
    if len(_OPENING.findall(html)) - html.count("</") > _UNCLOSED:
        return _BLANKS.sub(" ", _TAG.sub(" ", html)).strip()
    # Imported here: a desk that gets no HTML mail need not hold the parser in memory.
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415

    root = LexborHTMLParser(html).root
    words = "".join(_words(root)) if root is not None else ""
    lines = (line.strip(" ") for line in words.split("\n"))
    return _MANY_LINES.sub("\n\n", "\n".join(lines)).strip()


def _words(root: "LexborNode") -> Iterator[str]:
    """Walk without recursion: twenty thousand nested elements are a known trick."""
    waiting: list[LexborNode | str] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            yield node
            continue
        tag = node.tag or ""
        if tag == "-text":
            yield _BLANKS.sub(" ", node.text_content or "")
        elif tag not in _DROPPED and not tag.startswith(("-", "_")):
            before, after = _around(node, tag)
            yield before
            waiting.append(after)
            waiting.extend(_children(node))


def _children(node: "LexborNode") -> "list[LexborNode]":
    children = []
    child = node.last_child
    while child is not None:
        children.append(child)
        child = child.prev
    return children


def _around(node: "LexborNode", tag: str) -> tuple[str, str]:
    if tag == "a":
        target = _BLANKS.sub("", node.attributes.get("href") or "")
        is_shown = not target or target.startswith("#") or node.text().strip() == target
        return "", "" if is_shown else f" <{target}>"
    if tag in {"td", "th"}:
        return "", " "
    if tag == "li":
        return "\n- ", ""
    if tag in _APART:
        return "\n\n", "\n\n"
    return ("\n", "\n" if tag != "br" else "") if tag in _BLOCKS else ("", "")
