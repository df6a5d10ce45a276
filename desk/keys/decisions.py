# SPDX-License-Identifier: AGPL-3.0-or-later
"""A person's word on a user's public keys: accept one, refuse one, forget one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from desk.context import Work
from desk.keys.offers import absorb, keep
from desk.keys.standing import FLAW_WORDS, USED, flaw_of
from desk.letters.opened import OfferedKey
from desk.outbox.posts import tell_operators
from desk.world import Refusal, World
from storage.models import ContactKey, KeyState, KnownOnce, Ticket

_FEWEST_DIGITS = 8
_DIGITS = re.compile(r"[0-9A-F]{8,40}")
_UNDECIDED = frozenset({KeyState.SEEN, KeyState.CHANGED})


@dataclass(frozen=True)
class Decision:
    """Who decides, by their Matrix user id, and on which key: its last digits without blanks, or nothing."""

    agent: str
    digits: str


def contact_tag_of(ticket: Ticket) -> str:
    """Return the tag under which a user's keys are kept; raises Refusal where the user left no address."""
    if ticket.contact_tag is None:
        raise Refusal("The user left no address: no key can be theirs, and nobody can be asked for one.")
    return ticket.contact_tag


async def accept(work: Work, ticket: Ticket, decision: Decision) -> str:
    """Take a key into use in place of any other; return its fingerprint.

    Raises Refusal when there is none, it is not clear which is meant, or nothing can be encrypted to it.
    """
    keys = await work.unit.keys.held(contact_tag_of(ticket))
    chosen = _chosen(keys, decision.digits, "accept")
    flaw = flaw_of(chosen, work.world.now())
    if flaw is not None:
        raise Refusal(f"Not accepted: this key {FLAW_WORDS[flaw]}. `!key ask` asks the user for another one.")
    if chosen.state is KeyState.PINNED:
        raise Refusal("This key is accepted already.")
    _pin(chosen, keys, work.world, decision.agent)
    await tell_operators(work, f"{decision.agent} accepted a public key in ticket {ticket.id}.")
    return chosen.fingerprint or ""


async def refuse(work: Work, ticket: Ticket, decision: Decision) -> str:
    """Put a key aside for ever, or until somebody accepts it after all; return its fingerprint.

    Raises Refusal as `accept`.
    """
    keys = await work.unit.keys.held(contact_tag_of(ticket))
    chosen = _chosen(keys, decision.digits, "refuse")
    if chosen.state is KeyState.REFUSED:
        raise Refusal("This key is refused already.")
    _decide(chosen, KeyState.REFUSED, work.world, decision.agent)
    return chosen.fingerprint or ""


async def forget(work: Work, ticket: Ticket, decision: Decision) -> int:
    """Delete a user's keys, or the one that is named, with all that is sealed in them; return how many.

    That there was one stays known, so that no mail leaves in clear that would not have left before. Raises
    Refusal when there is none.
    """
    keys = await work.unit.keys.held(ticket.contact_tag) if ticket.contact_tag else []
    if not keys:
        raise Refusal("No public key of this user is known, so there is none to forget.")
    chosen = [_by_digits(keys, decision.digits)] if decision.digits else keys
    await work.unit.keys.forget(chosen, _mark(ticket.contact_tag or "", work.world, decision.agent))
    what = "a public key" if len(chosen) == 1 else f"{len(chosen)} public keys"
    await tell_operators(work, f"{decision.agent} had {what} forgotten in ticket {ticket.id}.")
    return len(chosen)


async def forget_by_sysadmin(work: Work, contact_tag: str, fingerprint: str | None) -> int:
    """Delete a contact's keys, or the one of this fingerprint, as `forget`; return how many.

    Raises Refusal when there is none.
    """
    keys = await work.unit.keys.held(contact_tag)
    chosen = keys if fingerprint is None else [_by_digits(keys, fingerprint)]
    if not chosen:
        raise Refusal("No public key of this address is known, so there is none to forget.")
    await work.unit.keys.forget(chosen, _mark(contact_tag, work.world, None))
    return len(chosen)


def _mark(contact_tag: str, world: World, agent: str | None) -> KnownOnce:
    return KnownOnce(contact_tag=contact_tag, forgotten_at=world.now(), forgotten_by=agent)


async def pin_imported(work: Work, contact_tag: str, key: OfferedKey) -> None:
    """Take a key that a sysadmin brought into use in place of any other; raises KeyGrown as `absorb`."""
    keys = await work.unit.keys.held(contact_tag)
    same = next((each for each in keys if each.fingerprint == key.fingerprint), None)
    if same is None:
        same = await keep(work, contact_tag, key, KeyState.PINNED)
    else:
        absorb(same, key, work.world.now())
    _pin(same, keys, work.world, None)


def _pin(chosen: ContactKey, keys: Sequence[ContactKey], world: World, agent: str | None) -> None:
    for key in keys:
        if key is not chosen and key.state in USED:
            _decide(key, KeyState.REPLACED, world, agent)
    _decide(chosen, KeyState.PINNED, world, agent)


def _decide(key: ContactKey, state: KeyState, world: World, agent: str | None) -> None:
    key.state, key.decided_at, key.decided_by = state, world.now(), agent


def _chosen(keys: Sequence[ContactKey], digits: str, verb: str) -> ContactKey:
    if not keys:
        raise Refusal("No public key of this user is known. `!key ask` asks them for one.")
    if digits:
        return _by_digits(keys, digits)
    undecided = [key for key in keys if key.state in _UNDECIDED]
    if len(undecided) == 1:
        return undecided[0]
    if not undecided:
        raise Refusal(f"No key waits for your word. To change it all the same: {_example(keys[-1], verb)}")
    raise Refusal(
        f"There are {len(undecided)} keys to choose from (`!key show`). Type the last {_FEWEST_DIGITS} "
        f"digits or more of the one you mean: {_example(undecided[-1], verb)}"
    )


def _example(key: ContactKey, verb: str) -> str:
    return f"`!key {verb} {(key.fingerprint or '')[-_FEWEST_DIGITS:]}`"


def _by_digits(keys: Sequence[ContactKey], digits: str) -> ContactKey:
    wanted = digits.upper().removeprefix("0X")
    if not _DIGITS.fullmatch(wanted):
        raise Refusal(
            f"“{digits[:60]}” is not the end of a fingerprint: type its last {_FEWEST_DIGITS} digits or more."
        )
    fitting = [key for key in keys if (key.fingerprint or "").endswith(wanted)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise Refusal("Several keys end like this: type the whole fingerprint.")
    raise Refusal("No key of this user ends like this: `!key show` shows those there are.")
