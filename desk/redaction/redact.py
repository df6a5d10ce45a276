# SPDX-License-Identifier: AGPL-3.0-or-later
"""The second redaction: taking out of logs what leads to a person or their machine. Pure.

WhisperBack redacts before it sends, but only its debugging sections, and it misses much. **Every path by
which a log or a user's text leaves the store (forward, issue, partner desk) must go through `redact`.**
It takes about two seconds per megabyte: call it in a thread, outside any unit.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from desk.redaction.rules import HEX_RUN, RULES, Rule, ipv6_in

_WORD = re.compile(r"\w+")
_NOT_HEX = re.compile(r"\\x(?:2d|3a)|_2d|%3a|[^0-9a-f]")
_LEAST_SPREAD = 4
"""A shorter name is too often a part of something else to be replaced wherever it stands."""
_MOST_OF_ONE_BEGIN = 16
_COMMON = frozenset(
    {
        "home",
        "wifi",
        "wlan",
        "guest",
        "free",
        "public",
        "network",
        "internet",
        "kernel",
        "linux",
        "info",
        "debug",
        "error",
        "device",
        "connection",
        "systemd",
        "networkmanager",
        "wireless",
        "default",
        "phone",
        "mouse",
        "keyboard",
        "headset",
        "speaker",
    }
)


@dataclass(frozen=True)
class Redacted:
    """A text without its secrets, and how many there were of each kind ("mac", "essid", ...)."""

    text: str
    counts: Mapping[str, int]


@dataclass
class _Placeholders:
    """Gives the same secret the same name, so that logs stay readable."""

    numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    highest: Counter[str] = field(default_factory=Counter)
    used: Counter[str] = field(default_factory=Counter)
    spreading: dict[str, str] = field(default_factory=dict)
    """Kinds of secrets that are to be replaced wherever they stand."""

    def name(self, kind: str, secret: str) -> str:
        """Return "[kind-1]", or whichever number this secret has."""
        key = (kind, _canonical(kind, secret))
        if key not in self.numbers:
            self.highest[kind] += 1
            self.numbers[key] = self.highest[kind]
        self.used[kind] += 1
        return f"[{kind}-{self.numbers[key]}]"

    def spread(self, kind: str, secret: str) -> None:
        """Remember a secret that says what it is by itself."""
        words = secret.strip()
        if len(words) >= _LEAST_SPREAD and words.casefold() not in _COMMON and _WORD.match(words):
            self.spreading.setdefault(words, kind)


def redact(text: str) -> Redacted:
    """Replace each secret by "[kind-number]"; the same secret has the same number throughout one text.

    Never raises, and takes linear time. Versions, dates, PCI and USB ids, commits and names that all systems
    share are kept.
    """
    names = _Placeholders()
    for rule in RULES:
        text = _apply(rule, text, names)
    text = _without_ipv6(text, names)
    text = _without_spread(text, names)
    return Redacted(text, dict(names.used))


def _apply(rule: Rule, text: str, names: _Placeholders) -> str:
    def replaced(found: re.Match[str]) -> str:
        group = "secret" if "secret" in rule.pattern.groupindex else 0
        secret = found[group]
        if not rule.takes(secret):
            return found[0]
        if rule.spreads:
            names.spread(rule.kind, secret)
        begin, end = found.span(group)
        return (
            found[0][: begin - found.start()]
            + names.name(rule.kind, secret)
            + found[0][end - found.start() :]
        )

    return rule.pattern.sub(replaced, text)


def _without_ipv6(text: str, names: _Placeholders) -> str:
    def replaced(found: re.Match[str]) -> str:
        before, after = text[max(found.start() - 1, 0) : found.start()], text[found.end() : found.end() + 1]
        address = ipv6_in(found[0], after_word=before.isalnum(), before_word=after.isalnum())
        if address is None:
            return found[0]
        return found[0].replace(address, names.name("ipv6", address), 1)

    return HEX_RUN.sub(replaced, text)


def _without_spread(text: str, names: _Placeholders) -> str:
    """Replace the names that were found in one place in all others."""
    by_first_word: dict[str, list[str]] = {}
    for secret in sorted(names.spreading, key=len, reverse=True):
        first = _WORD.match(secret)
        same = by_first_word.setdefault(first[0] if first else secret, [])
        if len(same) < _MOST_OF_ONE_BEGIN:
            same.append(secret)
    pieces, done = [], 0
    for word in _WORD.finditer(text) if by_first_word else ():
        begin = word.start()
        for secret in by_first_word.get(word[0], ()) if begin >= done else ():
            end = begin + len(secret)
            if text.startswith(secret, begin) and not text[end : end + 1].isalnum():
                pieces += [text[done:begin], names.name(names.spreading[secret], secret)]
                done = end
                break
    return "".join((*pieces, text[done:]))


def _canonical(kind: str, secret: str) -> str:
    """Return what two spellings of one secret have in common."""
    folded = secret.strip().casefold()
    return _NOT_HEX.sub("", folded) if kind in {"mac", "uuid"} else folded
