# SPDX-License-Identifier: AGPL-3.0-or-later
"""Subjects of mail that leaves, and the ticket's number in them, by which an answer is known again. Pure."""

import re

_TAG = re.compile(r"\[#([0-9]{1,9})\]")
MOST_TAGS = 5
"""In one subject; what comes after them counts for nothing."""


def tagged(number: int, words: str) -> str:
    """Return a subject that begins with the ticket's number."""
    return f"[#{number}] {words}"


def numbers_in(subject: str) -> list[int]:
    """Return the tickets' numbers in a subject, in their order."""
    return [int(match[1]) for match in list(_TAG.finditer(subject))[:MOST_TAGS]]


def answer_subject(number: int, subject: str) -> str:
    """Return the subject of an answer: "Re: " once (RFC 5322, 3.6.5), and this ticket's number alone.

    Two numbers would name two tickets, and the user's answer would belong to neither.
    """
    bare = " ".join(_TAG.sub(" ", subject).split())
    while bare[:3].casefold() == "re:":
        bare = bare[3:].strip()
    return f"Re: {tagged(number, bare or 'your message')}"
