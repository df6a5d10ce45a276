# SPDX-License-Identifier: AGPL-3.0-or-later
"""To which ticket a letter belongs: by what it names, and by who may name it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from desk.context import Work
from desk.intake.context import Arrival
from desk.replies.subjects import MOST_TAGS, numbers_in
from storage.models import MessageKind, Ticket
from storage.sealing.vault import TagKind, address_tag
from storage.unit import Unit


@dataclass(frozen=True)
class Belonging:
    """Which tickets a letter names, in the order of what is worth most, and whether its sender may."""

    numbers: tuple[int, ...]
    ticket: Ticket | None = None
    """The one ticket; None when several are named."""
    by_token: bool = False
    by_party: bool = False

    @property
    def is_sure(self) -> bool:
        """Whether the letter may go into the ticket."""
        return self.by_token or self.by_party


async def find(work: Work, arrival: Arrival) -> Belonging | None:
    """Look for a letter's ticket: by our Message-ID, reply token, a partner's tag, our tag in its subject.

    The first that its sender may name counts, else the first is a claim. Our tag counts in a protected
    subject only, as anybody on the way can change another one. None when it names no ticket that is there.
    """
    headers, by_token = arrival.opened.headers, await _by_token(work, arrival)
    claim: Belonging | None = None
    for named in (
        await _by_reference(work, headers.in_reply_to, MessageKind.OUT),
        await _by_reference(work, headers.references, MessageKind.OUT),
        by_token,
        await work.unit.tickets.marked(partner_tags(work, arrival)),
        _by_our_tag(arrival),
    ):
        found = await _named(work, arrival, named, by_token)
        if found is not None and found.is_sure:
            return found
        claim = claim or found
    return claim or await _beside_own_letter(work, arrival)


async def _named(
    work: Work, arrival: Arrival, named: Sequence[int], by_token: Sequence[int]
) -> Belonging | None:
    numbers = await work.unit.tickets.existing(dict.fromkeys(named)) if named else ()
    if len(numbers) > 1:
        return Belonging(numbers)
    ticket = await work.unit.tickets.get(numbers[0], lock=True) if numbers else None
    if ticket is None:
        return None
    is_partys = await is_party(work.unit, ticket, _sender(arrival))
    return Belonging(numbers, ticket, ticket.id in by_token, is_partys)


async def remember(work: Work, arrival: Arrival, ticket: Ticket, *, has_token: bool) -> None:
    """Know the ticket again by what a letter that went into it has shown.

    That is the partner's number in its subject and, when it came with the ticket's token, its sender.
    """
    tags = partner_tags(work, arrival)
    sender = _sender(arrival)
    if has_token and sender and address_tag(work.unit.vault, sender) != ticket.contact_tag:
        tags = (*tags, address_tag(work.unit.vault, sender))
    await work.unit.tickets.mark(ticket, tags)


async def is_party(unit: Unit, ticket: Ticket, address: str) -> bool:
    """Tell whether this is the contact's address, or one from which a letter came with the token."""
    if not address:
        return False
    tag = address_tag(unit.vault, address)
    return tag == ticket.contact_tag or ticket.id in await unit.tickets.marked([tag])


def is_contact(unit: Unit, ticket: Ticket, address: str) -> bool:
    """Tell whether this is the address that answers go to."""
    return bool(address) and address_tag(unit.vault, address) == ticket.contact_tag


def partner_tags(work: Work, arrival: Arrival) -> tuple[str, ...]:
    """Return the tags of other desks' ticket numbers in the subject."""
    subject = arrival.opened.headers.subject
    found = (
        work.unit.vault.tag(TagKind.PARTNER, f"{pattern.pattern}\0{match[1]}")
        for pattern in work.config.intake.partners
        for match in _first_of(pattern, subject)
    )
    return tuple(dict.fromkeys(found))


def partner_pattern(template: str) -> re.Pattern[str]:
    """Return what finds numbers written like "[rt.example.org #{number}]", however blanks and case are."""
    words = [re.escape(word) for word in template.split()]
    return re.compile(r"\s{1,5}".join(words).replace(re.escape("{number}"), r"([0-9]{1,12})"), re.IGNORECASE)


def _first_of(pattern: re.Pattern[str], subject: str) -> Iterable[re.Match[str]]:
    return list(pattern.finditer(subject))[:MOST_TAGS]


def _sender(arrival: Arrival) -> str:
    return arrival.opened.headers.sender


async def _by_token(work: Work, arrival: Arrival) -> list[int]:
    tag = arrival.letter.reply_tag
    ticket = await work.unit.tickets.by_reply_tag(tag) if tag else None
    return [ticket.id] if ticket is not None else []


async def _by_reference(work: Work, named: Sequence[str], kind: MessageKind) -> Sequence[int]:
    known = await work.unit.messages.by_message_id(named) if named else []
    return [message.ticket_id for message in known if message.kind is kind]


def _by_our_tag(arrival: Arrival) -> list[int]:
    headers = arrival.opened.headers
    return numbers_in(headers.subject) if headers.protected else []


async def _beside_own_letter(work: Work, arrival: Arrival) -> Belonging | None:
    """A letter that goes on from another letter of the same person, as when they answer their own.

    It is no claim where somebody else's is named: anybody may answer what they got a copy of. A ticket of
    theirs comes first: with a token, anybody can put letters in their name into another.
    """
    headers = arrival.opened.headers
    before = (*headers.in_reply_to, *reversed(headers.references))
    named = dict.fromkeys(await _by_reference(work, before, MessageKind.IN))
    known: Ticket | None = None
    for number in await work.unit.tickets.existing(named):
        ticket = await work.unit.tickets.get(number, lock=True)
        if ticket is not None and is_contact(work.unit, ticket, _sender(arrival)):
            return Belonging((number,), ticket, by_party=True)
        if known is None and ticket is not None and await is_party(work.unit, ticket, _sender(arrival)):
            known = ticket
    return Belonging((known.id,), known, by_party=True) if known is not None else None
