# SPDX-License-Identifier: AGPL-3.0-or-later
"""Calendar parts as a line: what, when, where, and who invites (RFC 5545, RFC 5546)."""

import datetime as dt
from typing import TYPE_CHECKING, Any

from mail.text.charsets import decode
from mail.text.headers import safe_text_line

if TYPE_CHECKING:
    from icalendar import Component

TYPES = frozenset({"text/calendar", "application/ics"})
LARGEST = 64 * 1024
"""Bytes; a larger calendar is no invitation, and its parsing takes seconds."""
_LONGEST = 120
_METHODS = {
    "REQUEST": "invitation",
    "CANCEL": "cancellation",
    "REPLY": "answer to an invitation",
    "COUNTER": "counter-proposal to an invitation",
}
_ANSWERS = {"ACCEPTED": "accepted", "DECLINED": "declined", "TENTATIVE": "perhaps"}


def describe(calendar: bytes, charset: str = "") -> str:
    """Return one harmless line on the first event of a calendar; "" when there is none that can be read."""
    if len(calendar) > LARGEST:
        return ""
    # Imported here: 9 MB for a desk that may never be invited.
    from icalendar import Calendar  # noqa: PLC0415

    try:
        root = Calendar.from_ical(decode(calendar, charset)[0])
        events = root.walk("VEVENT")
        return _line(root, events[0], len(events)) if events else ""
    except Exception:  # noqa: BLE001 - the library promises no set of errors; the file is listed all the same
        return ""


def _line(root: "Component", event: "Component", count: int) -> str:
    kind = _METHODS.get(str(root.get("METHOD", "")).upper(), "calendar entry")
    parts = [f"“{_text(event, 'SUMMARY') or '(no title)'}”", _when(event)]
    parts += [f"at {place}"] if (place := _text(event, "LOCATION")) else []
    parts += [f"by {organizer}"] if (organizer := _person(event.get("ORGANIZER"))) else []
    parts += [_answer(event)] if kind.startswith("answer") else []
    parts += [f"and {count - 1} more"] if count > 1 else []
    return f"{kind}: " + ", ".join(part for part in parts if part)


def _text(event: "Component", name: str) -> str:
    given = event.get(name)
    return safe_text_line(str(given[0] if isinstance(given, list) else given or ""))[:_LONGEST]


def _person(given: Any) -> str:
    if given is None:
        return ""
    address = safe_text_line(str(given))
    address = address[7:] if address.lower().startswith("mailto:") else address
    name = safe_text_line(str(getattr(given, "params", {}).get("CN", "")))
    return f"{name[:_LONGEST]} <{address[:_LONGEST]}>" if name and name != address else address[:_LONGEST]


def _answer(event: "Component") -> str:
    given = event.get("ATTENDEE")
    attendee = given[0] if isinstance(given, list) else given
    status = str(getattr(attendee, "params", {}).get("PARTSTAT", "")).upper()
    return _ANSWERS.get(status, "")


def _when(event: "Component") -> str:
    begin, end = (event.decoded(name) if name in event else None for name in ("DTSTART", "DTEND"))
    if not isinstance(begin, dt.date):
        return ""
    repeated = " and again" if "RRULE" in event else ""
    if not isinstance(begin, dt.datetime):
        return f"{begin:%Y-%m-%d}{repeated}"
    until = ""
    if isinstance(end, dt.datetime) and end.tzinfo is not None and begin.tzinfo is not None:
        end = end.astimezone(begin.tzinfo)
        until = f" to {end:%H:%M}" if end.date() == begin.date() else f" to {end:%Y-%m-%d %H:%M}"
    zone = safe_text_line(str(begin.tzinfo))[:40] if begin.tzinfo else "no time zone"
    in_utc = f" = {begin.astimezone(dt.UTC):%H:%M} UTC" if begin.tzinfo and begin.utcoffset() else ""
    return f"{begin:%Y-%m-%d %H:%M}{until} ({zone}{in_utc}){repeated}"
