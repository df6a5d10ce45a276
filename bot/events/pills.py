# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whom a message links to: where a person sees a pill, the plain body has a display name only."""

import html
import re
import urllib.parse

# Not html.parser: it raises an AssertionError on what any member of a room may send.
_PILL = re.compile(r"<a\s[^<>]*?href\s*=\s*[\"']?https://matrix\.to/#/((?:@|%40)[^\"'<>?\s]+)", re.IGNORECASE)
_END_OF_QUOTE = "</mx-reply>"


def pills_in(formatted_body: str) -> tuple[str, ...]:
    """Return the Matrix user ids that the sender's own words link to, each once, in order.

    Specification, "matrix.to navigation". The quote of a reply (`mx-reply`, at the beginning) is not theirs.
    """
    own = formatted_body[_end_of_quote(formatted_body) :]
    return tuple(dict.fromkeys(urllib.parse.unquote(html.unescape(found)) for found in _PILL.findall(own)))


def _end_of_quote(formatted_body: str) -> int:
    at = formatted_body.lower().rfind(_END_OF_QUOTE)
    return 0 if at < 0 else at + len(_END_OF_QUOTE)
