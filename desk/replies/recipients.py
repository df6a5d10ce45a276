# SPDX-License-Identifier: AGPL-3.0-or-later
"""To which address an answer leaves: the one that was read, in the form in which mail servers take it."""

import re

import idna

from desk.world import Refusal
from storage.models import Ticket
from storage.unit import Unit

_OFFERS_SMTPUTF8 = "submission server offers SMTPUTF8"
_YES, _NO = "yes", "no"
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_DOT_ATOM = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*")
_QUOTED = re.compile(r'"(?:[^"\\\r\n]|\\[^\r\n])*"')
_ESCAPED = re.compile(r"\\(.)")
_SPECIAL = re.compile(r'(["\\])')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LABELS = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_NO_ADDRESS = (
    "Not sent: the user's address is written so that no mail server takes it. Ask for another over another "
    "way, or `!close` the ticket when done."
)
_BEYOND_ASCII = (
    "Not sent: before the @ of the user's address stand signs beyond ASCII, and the mail server through "
    "which answers leave does not take such addresses (it offers no SMTPUTF8)."
)


def addr_spec(address: str) -> str:
    """Return an address as it can leave: `local@domain` in the form of RFC 5321, 4.1.2.

    The domain is in A-labels (RFC 5890: `xn--…`); what stands before the @ is quoted where it has to be, as
    with dots that follow each other. It may hold signs beyond ASCII (RFC 6531). Raises Refusal with a
    sentence, which does not name the address, when there is no such form.
    """
    local, _, domain = address.strip().rpartition("@")
    return f"{_local_part(local)}@{_domain(domain)}"


def _local_part(local: str) -> str:
    if _QUOTED.fullmatch(local):
        local = _ESCAPED.sub(r"\1", local[1:-1])
    if not local or _CONTROL.search(local):
        raise Refusal(_NO_ADDRESS)
    return local if _DOT_ATOM.fullmatch(local) else '"' + _SPECIAL.sub(r"\\\1", local) + '"'


def _domain(domain: str) -> str:
    lower = domain.removesuffix(".").lower()
    try:
        ascii_only = lower if lower.isascii() else idna.encode(lower, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise Refusal(_NO_ADDRESS) from None
    if not _LABELS.fullmatch(ascii_only):
        raise Refusal(_NO_ADDRESS)
    return ascii_only


async def recipient_of(unit: Unit, ticket: Ticket) -> str:
    """Return where an answer to this ticket's user leaves to, as `addr_spec` does.

    Raises Refusal when there is no address, or none that the submission server takes.
    """
    if not ticket.contact:
        raise Refusal("The user left no address, so no answer can be sent. `!close` the ticket when done.")
    recipient = addr_spec(ticket.contact)
    if not recipient.isascii() and await unit.facts.get(_OFFERS_SMTPUTF8) != _YES:
        raise Refusal(_BEYOND_ASCII)
    return recipient


async def note_server(unit: Unit, *, offers_smtputf8: bool) -> None:
    """Remember whether the submission server takes addresses with signs beyond ASCII (RFC 6531)."""
    offers = _YES if offers_smtputf8 else _NO
    if await unit.facts.get(_OFFERS_SMTPUTF8) != offers:
        await unit.facts.set(_OFFERS_SMTPUTF8, offers)
