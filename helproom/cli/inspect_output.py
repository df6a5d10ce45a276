# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `helproom inspect-mail` shows to a person at the terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

_COLOURS = {
    "ok": "green",
    "good": "green",
    "none": "default",
    "partial": "yellow",
    "unknown-key": "yellow",
    "good-other-sender": "bold red",
    "expired-key": "yellow",
}
_REPORT_FIELDS = ("whisperback_id", "tails_version", "app", "contact_email", "openpgp_key", "product")


def tell(description: Mapping[str, Any]) -> None:
    """Print a description of a letter: what it is, then its words."""
    console = Console(highlight=False, markup=False, emoji=False)
    grid = Table.grid(padding=(0, 2))
    for name, value in _rows(description):
        grid.add_row(Text(name, "bold"), value)
    console.print(grid)
    for title, key in (("Text", "text"), ("NOT encrypted or signed", "unprotected_text")):
        if description[key]:
            console.print(Panel(Text(description[key].strip("\n")), title=title, title_align="left"))


def _rows(description: Mapping[str, Any]) -> Iterator[tuple[str, Text]]:
    yield "Form", Text(description["form"])
    yield "Encryption", _verdict(description["encryption"])
    for signature in description["signatures"] or [{"state": "none", "detail": ""}]:
        yield "Signature", _verdict(signature)
    yield from _header_rows(description["headers"])
    yield from _content_rows(description)
    for problem in description["problems"]:
        yield "Attention", Text(problem, "yellow")


def _header_rows(headers: Mapping[str, Any]) -> Iterator[tuple[str, Text]]:
    yield "From", Text(f"{headers['from_name']} <{headers['from']}>".strip())
    yield "Subject", Text(headers["subject"])
    if headers["subject"] != headers["outer_subject"]:
        yield "Outer subject", Text(headers["outer_subject"])
    if headers["mismatch"]:
        yield "Differs outside", Text(", ".join(headers["mismatch"]), "yellow")


def _content_rows(description: Mapping[str, Any]) -> Iterator[tuple[str, Text]]:
    if description["automatic"]:
        yield "Automatic", Text(description["automatic"])
    if description["language"]:
        yield "Language", Text("{code} ({confidence:.2f})".format(**description["language"]))
    for one in description["attachments"]:
        said = Text(f"{one['name']}  {one['type']}  {one['size']} bytes  {one['about']}".rstrip())
        yield "Attachment", said.append(f"  {one['danger']}", "bold red") if one["danger"] else said
    for one in description["keys"]:
        yield "Key", Text(f"{one['fingerprint']}  ({one['source']}) {one['problem']}".rstrip())
    report = description["whisperback"] or {}
    yield from ((name, Text(str(report[name]))) for name in _REPORT_FIELDS if report.get(name))


def _verdict(verdict: Mapping[str, Any]) -> Text:
    said = Text(verdict["state"], _COLOURS.get(verdict["state"], "bold red"))
    if verdict.get("covers") == "part":
        said.append(", on a part of the letter")
    if verdict.get("fingerprint"):
        said.append(f"  {verdict['fingerprint']}", "default")
    return said.append(f"  {verdict['detail']}" if verdict["detail"] else "", "default")
