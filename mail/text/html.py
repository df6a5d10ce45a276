# SPDX-License-Identifier: AGPL-3.0-or-later
"""HTML mail as plain text: links show where they lead, nothing is fetched, nothing is rendered."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mail.limits import HTML_CHARS

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_DROPPED = frozenset(
    {"script", "style", "head", "title", "template", "noscript", "svg", "math", "object", "iframe"}
)
_BLOCKS = frozenset(
    {"address", "article", "aside", "body", "center", "dd", "div", "dl", "dt", "fieldset", "figure", "footer"}
    | {"form", "header", "main", "nav", "section", "tr"}
)
_BEGIN_OR_END = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})")
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_TAG = re.compile(r"<[^<>]{0,2000}>")
_UNCLOSED = 5000
"""Elements left open, past which parsing takes quadratic time and the tags are only cut out."""
_CHARSET = re.compile(
    rb"<meta\s[^<>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE
)
_HIDDEN = re.compile(r"(?:display:none|visibility:hidden|mso-hide:all)(?![a-z-])")
CUT_OFF = f"\n\n[The page is longer than {HTML_CHARS // 1024} K characters; the rest is left out here.]\n"
"""Stands among the words, where what is left out would."""
_LONGEST_TARGET = 500
_LONGEST_ALT = 100
_DEEPEST_QUOTE = 20
_BLANKS = re.compile(r"[ \t\r\n\f]+")
_MANY_LINES = re.compile(r"\n{3,}")
_QUOTE, _QUOTE_END, _AS_IT_IS, _AS_IT_IS_END, _NEW_LINE = "\x01", "\x02", "\x03", "\x04", "\x05"
"""Marks between the words, which no text of a page holds: it goes through `_plain` first."""
_EMPTY_QUOTES = re.compile(r"^(>*)(?:\n\1)+$", re.MULTILINE)
_MARKS = re.compile("([\x01-\x05])")
_AROUND = {
    **dict.fromkeys(("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table"), ("\n\n", "\n\n")),
    **dict.fromkeys(("td", "th"), ("", " ")),
    "blockquote": ("\n\n" + _QUOTE, _QUOTE_END + "\n\n"),
    "br": ("\n", ""),
    "hr": ("\n____\n", ""),
    "li": ("\n- ", ""),
    "pre": ("\n\n" + _AS_IT_IS, _AS_IT_IS_END + "\n\n"),
}
_NO_MARKS = dict.fromkeys(range(1, 6))


def charset_of(page: bytes) -> str:
    """Return the charset that a page's head names; "" when it names none."""
    found = _CHARSET.search(page[:2048])
    return found[1].decode("ascii") if found else ""


def html_to_text(html: str) -> str:
    """Return the words of an HTML document; past `HTML_CHARS` only the beginning is read, and that is told.

    A link whose text is not its target is followed by its target; pictures become their alternative text;
    scripts, styles and what is not displayed are dropped; quotations get ">" before each line.
    """
    if len(html) > HTML_CHARS:
        return html_to_text(html[:HTML_CHARS]) + CUT_OFF
    if _is_too_deep(html):
        return _BLANKS.sub(" ", _TAG.sub(" ", html)).strip()
    # Imported here: a desk that gets no HTML mail need not hold the parser in memory.
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415

    root = LexborHTMLParser(html).root
    words = "".join(_words(root)) if root is not None else ""
    return _laid_out(words)


def _is_too_deep(html: str) -> bool:
    """Count what is open: the end of an element that is not open closes nothing."""
    depth, opened = 0, Counter[str]()
    for slash, given in _BEGIN_OR_END.findall(html):
        name = given.lower()
        change = 0 if name in _VOID else -min(1, opened[name]) if slash else 1
        opened[name] += change
        depth += change
        if depth > _UNCLOSED:
            return True
    return False


def _laid_out(words: str) -> str:
    """Set the lines: blanks collapsed but in `pre`, ">" before those of quotations."""
    depth, lines, is_pre, is_new = 0, [""], False, True
    for piece in _MARKS.split(words):
        if piece in {_QUOTE, _QUOTE_END}:
            while piece == _QUOTE_END and len(lines) > 1 and lines[-1] == _start(depth):
                lines.pop()
            depth = max(0, depth + (1 if piece == _QUOTE else -1))
            lines.append(_start(depth))
            is_new = True
        elif piece == _NEW_LINE:
            # Where blocks touch each other there is one line end, not two.
            lines += [] if lines[-1] == _start(depth) else [_start(depth)]
        elif piece in {_AS_IT_IS, _AS_IT_IS_END}:
            is_pre = piece == _AS_IT_IS
        elif piece:
            shown = (piece.lstrip("\n ") if is_new and not is_pre else piece).split("\n")
            is_new = is_new and not piece.strip("\n ")
            first, *others = (line if is_pre else line.strip(" ") for line in shown)
            lines[-1] += first
            lines += [_start(depth) + line for line in others]
    text = "\n".join(line.rstrip() for line in lines)
    return _EMPTY_QUOTES.sub(r"\1", _MANY_LINES.sub("\n\n", text)).strip("\n ")


def _start(depth: int) -> str:
    return ">" * min(depth, _DEEPEST_QUOTE) + " " if depth else ""


def _words(root: "LexborNode") -> Iterator[str]:
    """Walk without recursion: twenty thousand nested elements are a known trick."""
    waiting: list[LexborNode | str] = [root]
    pre = 0
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            pre -= node.count(_AS_IT_IS_END)
            yield node
            continue
        tag = node.tag or ""
        if tag == "-text":
            words = _plain(node.text_content or "")
            yield words if pre else _BLANKS.sub(" ", words)
        elif tag not in _DROPPED and not tag.startswith(("-", "_")) and not _is_hidden(node):
            before, after = _around(node, tag)
            pre += before.count(_AS_IT_IS)
            yield before
            waiting.append(after)
            waiting.extend(_children(node))


def _plain(words: str) -> str:
    return words.translate(_NO_MARKS)


def _is_hidden(node: "LexborNode") -> bool:
    attributes = node.attributes
    if not attributes:
        return False
    style = _BLANKS.sub("", attributes.get("style") or "").lower()
    return "hidden" in attributes or bool(_HIDDEN.search(style))


def _children(node: "LexborNode") -> "list[LexborNode]":
    children = []
    child = node.last_child
    while child is not None:
        children.append(child)
        child = child.prev
    return children


def _around(node: "LexborNode", tag: str) -> tuple[str, str]:
    """Return what stands before and after the words of an element."""
    if tag == "a":
        return "", _target(node)
    if tag == "img":
        return _plain(_BLANKS.sub(" ", node.attributes.get("alt") or "").strip())[:_LONGEST_ALT], ""
    if tag in _AROUND:
        return _AROUND[tag]
    return (_NEW_LINE, _NEW_LINE) if tag in _BLOCKS else ("", "")


def _target(node: "LexborNode") -> str:
    """Say where a link leads, unless its text is just that."""
    target = _plain(_BLANKS.sub("", node.attributes.get("href") or ""))
    # No more of the text is read than a target may be long: nested links would make this quadratic.
    shown = "".join(node.text(deep=True).split())[: _LONGEST_TARGET + 1] if target else ""
    is_shown = shown in {target, target.removeprefix("mailto:"), target.rstrip("/")}
    if not target or target.startswith("#") or is_shown:
        return ""
    return f" <{target[:_LONGEST_TARGET]}{'…' if len(target) > _LONGEST_TARGET else ''}>"
