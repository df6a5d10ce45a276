# SPDX-License-Identifier: AGPL-3.0-or-later
"""Public keys of users: kept when first seen, never replaced silently, refreshed without a question."""

import datetime as dt
import hashlib
import json
from collections.abc import Sequence

from desk.context import Work
from desk.keys.standing import FLAW_WORDS, USED, flaw_of, spaced
from desk.letters.opened import OfferedKey
from desk.outbox.posts import say_in_thread
from storage.models import ContactKey, KeyState, Ticket
from storage.sealing.columns import to_json
from storage.sealing.vault import address_tag
from storage.unit import Unit

MOST_WAITING = 10
"""Keys of one contact that wait for a person's word; of more, the oldest go."""
_MOST_COPIES = 32


class KeyGrown(Exception):
    """A known key came in another form: the two must be merged, and the letter be taken in once more."""

    def __init__(self, known: bytes, offered: OfferedKey) -> None:
        super().__init__("a known key came in another form")
        self.known = known
        self.offered = offered


def digest_of(armor: bytes) -> str:
    """Return by what a copy of a key is known again."""
    return hashlib.sha256(armor).hexdigest()


async def offer(
    work: Work, ticket: Ticket, key: OfferedKey, *, by_user: bool, is_again: bool = False
) -> None:
    """Keep a key that came with a letter: the user's first one is used, others wait for a person's word.

    A file is the user's own key only where it names them: people also send keys of others.
    `by_user`: the letter came from the ticket's contact; who only knew the reply token may be anybody.
    `is_again`: the letter is opened once more, and was counted before.
    Raises KeyGrown when it is a known key in another form, unless it was merged with just that known one.
    """
    if ticket.contact_tag is None:
        return
    known = await work.unit.keys.held(ticket.contact_tag)
    same = next((each for each in known if each.fingerprint == key.fingerprint), None)
    if same is None:
        await _first_sight(work, ticket, key, known, by_user=by_user)
        return
    before = flaw_of(same, work.world.now())
    absorb(same, key, work.world.now())
    same.letters += by_user and not is_again
    after = flaw_of(same, work.world.now())
    if before is not after and same.state in USED:
        await say_in_thread(work, ticket, _turned(key.fingerprint, after))


async def _first_sight(
    work: Work, ticket: Ticket, key: OfferedKey, known: Sequence[ContactKey], *, by_user: bool
) -> None:
    is_first = by_user and not known
    is_elses = key.source == "attached" and not _names(work.unit, key, ticket.contact_tag or "")
    is_used = is_first and not is_elses
    is_known_again = is_used and await work.unit.keys.known_once(ticket.contact_tag or "")
    state = KeyState.SEEN if is_used else KeyState.CHANGED
    row = await keep(work, ticket.contact_tag or "", key, state, ticket=ticket)
    for old in [each for each in known if each.state is KeyState.CHANGED][: 1 - MOST_WAITING]:
        await work.unit.keys.drop(old)
    flaw = flaw_of(row, work.world.now())
    if is_used and flaw is None:
        if is_known_again:
            await say_in_thread(work, ticket, _came_again(row))
        return
    who = _who(by_user=by_user, is_first=is_first)
    await say_in_thread(work, ticket, _came(row, flaw, who, is_elses=is_elses))


def _names(unit: Unit, key: OfferedKey, contact_tag: str) -> bool:
    return any(address_tag(unit.vault, address) == contact_tag for address in key.addresses)


def _who(*, by_user: bool, is_first: bool) -> str:
    if not by_user:
        return "Somebody else than the user sent a"
    return "The user sent a" if is_first else "The user sent another"


def _came_again(row: ContactKey) -> str:
    return (
        f"A public key of the user came, {spaced(row.fingerprint or '')} ({row.source}): the first since "
        "those known before were forgotten. Answers are encrypted to it. `!key show` shows it."
    )


def _came(row: ContactKey, flaw: KeyState | None, who: str, *, is_elses: bool) -> str:
    fingerprint = spaced(row.fingerprint or "")
    if row.state is KeyState.SEEN and flaw is not None:
        return (
            f"The user's public key {fingerprint} came ({row.source}), but it {FLAW_WORDS[flaw]}, so no "
            "answer can be encrypted to it. Ask the user for a newer one."
        )
    unfit = " It does not name the user's address, and may be somebody else's." if is_elses else ""
    unfit += f" It {FLAW_WORDS[flaw]}." if flaw is not None else ""
    return (
        f"{who} public key, {fingerprint} ({row.source}). It is not used until it is accepted.{unfit} "
        "Compare the fingerprint with the user through another channel than mail, then `!key accept` or "
        "`!key refuse`. `!key show` shows all their keys."
    )


def _turned(fingerprint: str, flaw: KeyState | None) -> str:
    if flaw is None:
        return f"The user's public key {spaced(fingerprint)} was renewed and can be used again."
    return (
        f"The user's public key {spaced(fingerprint)} {FLAW_WORDS[flaw]}, as a newer copy of it says. "
        "No answer leaves until there is another one: `!key show`."
    )


async def keep(
    work: Work,
    contact_tag: str,
    key: OfferedKey,
    state: KeyState,
    *,
    ticket: Ticket | None = None,
) -> ContactKey:
    """Keep a contact's new key in a given state."""
    now = work.world.now()
    row = ContactKey(
        ref=work.world.token(),
        contact_tag=contact_tag,
        source=key.source,
        ticket_id=ticket.id if ticket is not None else None,
        state=state,
        prefers_encryption=bool(key.prefers_encryption),
        letters=1 if ticket is not None else 0,
        seen_at=now,
        last_seen_at=now,
    )
    await work.unit.keys.add(row, fingerprint=key.fingerprint, armor=key.armor)
    about = {
        "algorithm": key.algorithm,
        "created": key.created_at.isoformat() if key.created_at else None,
        "names_contact": _names(work.unit, key, contact_tag),
    }
    row.about = to_json({**about, "copies": [digest_of(key.armor)]})
    _take_facts(row, key)
    return row


def absorb(row: ContactKey, key: OfferedKey, now: dt.datetime) -> None:
    """Take in a copy of a known key; its own signatures prove what is new in it, whoever brought it.

    Raises KeyGrown when the copy is unknown and was not merged with the key as it is kept now.
    """
    row.last_seen_at = now
    if key.prefers_encryption is not None:
        row.prefers_encryption = key.prefers_encryption
    about = json.loads(row.about or "{}")
    copies: list[str] = about.get("copies", [])
    if digest_of(key.armor) in copies:
        return
    known = row.armor or b""
    if key.grown_from != digest_of(known):
        raise KeyGrown(known, key)
    row.armor = key.armor
    _take_facts(row, key)
    about["copies"] = [*copies, key.came_as, digest_of(key.armor)][-_MOST_COPIES:]
    row.about = to_json(about)


def _take_facts(row: ContactKey, key: OfferedKey) -> None:
    row.expires_at = key.expires_at
    # A revocation is for ever, even where a copy comes without it.
    if row.problem is not KeyState.REVOKED:
        row.problem = KeyState(key.problem) if key.problem else None
