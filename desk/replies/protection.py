# SPDX-License-Identifier: AGPL-3.0-or-later
"""The one policy for mail that leaves: how it is protected, or why it cannot leave."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from desk.keys.standing import FLAW_WORDS, current, flaw_of, spaced, waiting
from desk.tickets.details import DraftDetails
from desk.world import Refusal
from storage.models import ContactKey, KeyState, Message, Ticket
from storage.unit import Unit


class Path(StrEnum):
    """What a mail leaves as. A new one needs a policy of its own below, or nothing starts."""

    ANSWER = "answer"
    """What an agent wrote, with whatever the desk puts to it."""
    PLAIN = "plain"
    """An agent's own new words and nothing else, in clear at that agent's word (`!reply --plain`)."""
    KEY_REQUEST = "key-request"
    """The fixed words of a template that ask for a key, in clear at an agent's word (`!key ask`)."""
    AUTOMATIC = "automatic"
    """What no person wrote: the first answer by template."""


IN_CLEAR = frozenset({Path.PLAIN, Path.KEY_REQUEST})
"""What leaves in clear where the desk would refuse: with nothing of the user's, not even the subject."""


@dataclass(frozen=True)
class MailContent:
    """What a mail carries beside words, and what its preview promised."""

    quote: bool = False
    """Words of the user's are quoted."""
    files: bool = False
    as_encrypted: bool = False
    """It was shown as one that leaves encrypted."""


TEXT_ONLY = MailContent()


@dataclass(frozen=True)
class Protection:
    """How a mail to a user is protected: encrypted to one key, or in clear because nothing forbids it."""

    key: bytes | None = field(repr=False)
    """The user's public key, armored; None means in clear."""
    fingerprint: str | None
    trust: str = field(default="", compare=False)
    """What is known of the key, for the preview."""
    overridden: bool = False
    """An agent asked for clear where the desk would not send."""
    asked_with: str = field(default="", compare=False)
    """With which words."""

    @property
    def words(self) -> str:
        """What the agent reads in the preview."""
        if self.overridden:
            asked = f"as an agent asked for ({self.asked_with})"
            return f"NOT encrypted, {asked}: anybody on its way can read it; signed"
        if self.fingerprint is None:
            return "NOT encrypted (the user never wrote encrypted, and no key is known); signed"
        return f"encrypted to the user's key {spaced(self.fingerprint)}{self.trust}, and signed"


@dataclass(frozen=True)
class KeyStanding:
    """What a policy decides by: a contact's keys, oldest first, and whether the ticket is confidential."""

    keys: Sequence[ContactKey]
    confidential: bool
    now: dt.datetime
    known_once: bool = False
    """Keys of the contact were known and forgotten."""
    load: MailContent = TEXT_ONLY

    def usable(self) -> ContactKey | None:
        """Return the key to encrypt to, if one can."""
        chosen = current(self.keys)
        return chosen if chosen is not None and flaw_of(chosen, self.now) is None else None

    def forbids_clear(self) -> bool:
        """Tell whether clear would be less than this user had or could have had."""
        return self.confidential or bool(self.keys) or self.known_once


Policy = Callable[[KeyStanding], Protection]


def _never_less(standing: KeyStanding) -> Protection:
    key = standing.usable()
    if key is not None:
        return Protection(key.armor, key.fingerprint, _trust(key, standing.keys))
    if standing.forbids_clear():
        why = _why_not(standing)
        raise Refusal(f"Not sent: {why}")
    if standing.load.as_encrypted:
        raise Refusal(
            "Not sent: the preview said that it leaves encrypted, and the key for that is gone. `!cancel` "
            "it; if it may leave in clear, write it again."
        )
    return Protection(None, None)


def _clear_on_demand(standing: KeyStanding) -> Protection:
    _refuse_load(standing.load, "With --plain only your own words can leave")
    if standing.usable() is not None:
        raise Refusal(
            "Not sent: there is a key of this user that can be used, so `!reply` without --plain encrypts. "
            "If the user has lost that key, `!key refuse` it first."
        )
    return Protection(None, None, overridden=standing.forbids_clear(), asked_with="--plain")


def _clear_request(standing: KeyStanding) -> Protection:
    _refuse_load(standing.load, "Where a key is asked for in clear, only the template's words can leave")
    if standing.usable() is not None:
        raise Refusal(
            "Not sent: meanwhile there is a key of this user that can be used. `!cancel` this; `!key ask` "
            "asks again, encrypted."
        )
    return Protection(None, None, overridden=standing.forbids_clear(), asked_with="!key ask")


def _automatic(standing: KeyStanding) -> Protection:
    _refuse_load(standing.load, "An automatic mail holds nothing of anybody's")
    return _never_less(standing)


def _refuse_load(load: MailContent, why: str) -> None:
    if load.quote:
        raise Refusal(f"Not sent: {why}, no quote.")
    if load.files:
        raise Refusal(f"Not sent: {why}, no file. `!detach` takes files away.")


def for_every_path(policies: Mapping[Path, Policy]) -> Mapping[Path, Policy]:
    """Return the policies; raises TypeError when a path has none, so that it cannot even be imported."""
    missing = [path.value for path in Path if path not in policies]
    if missing:
        raise TypeError(f"no policy says how these mails are protected: {', '.join(missing)}")
    return policies


_POLICIES = for_every_path(
    {
        Path.ANSWER: _never_less,
        Path.PLAIN: _clear_on_demand,
        Path.KEY_REQUEST: _clear_request,
        Path.AUTOMATIC: _automatic,
    }
)


async def protection_of(
    unit: Unit, ticket: Ticket, now: dt.datetime, path: Path = Path.ANSWER, load: MailContent = TEXT_ONLY
) -> Protection:
    """Return how a mail to this ticket's user is to be protected, looking at the keys as they are now.

    Raises Refusal when the ticket is confidential or a key was ever known, and there is no usable one:
    such a mail never leaves in clear, unless an agent has asked for just that; and when the mail carries
    what cannot leave on its path.
    """
    keys = await unit.keys.of(ticket.contact_tag) if ticket.contact_tag else []
    # In this order: whoever forgets a key meanwhile leaves the mark that is read now.
    known_once = (
        not keys and bool(ticket.contact_tag) and await unit.keys.known_once(ticket.contact_tag or "")
    )
    return decide(KeyStanding(keys, ticket.confidential, now, known_once, load), path)


def decide(standing: KeyStanding, path: Path = Path.ANSWER) -> Protection:
    """Decide by what is known; raises Refusal as `protection_of`."""
    return _POLICIES[path](standing)


def _trust(chosen: ContactKey, keys: Sequence[ContactKey]) -> str:
    if chosen.state is KeyState.PINNED:
        known = f"accepted {_day(chosen.decided_at)} by {chosen.decided_by or 'a sysadmin'}"
    else:
        known = f"first seen {_day(chosen.seen_at)}, compared by nobody"
    also = "; another key waits for your word: `!key show`" if waiting(keys) else ""
    return f" ({known}{also})"


def _day(moment: dt.datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment is not None else ""


def _why_not(standing: KeyStanding) -> str:
    """Say what happened, and what to type or do."""
    keys = standing.keys
    if not keys and not standing.confidential:
        return (
            "a public key of the user was known once and was forgotten, so this mail does not leave in clear."
            f" {_ASK_FOR_ONE}"
        )
    if not keys:
        return f"this ticket is confidential, and no public key of the user is known. {_ASK_FOR_ONE}"
    hint = (
        "`!key show` shows the waiting one; compare it with the user, then `!key accept` or `!key refuse`."
        if waiting(keys)
        else "Ask the user for a new one through another channel, or have a sysadmin import it with "
        "`helproom keys import`. `!key show` shows what is known."
    )
    known_once = (
        "" if standing.confidential else " A key was known once, so this mail does not leave in clear."
    )
    return f"{_what_is_wrong(keys, standing.now)}. {hint}{known_once}"


_ASK_FOR_ONE = (
    "Ask the user for one through another channel, or have a sysadmin import one with "
    "`helproom keys import`. `!key ask` asks by mail, in clear, with nothing of the user's. If an answer "
    "must be sent anyway, `!reply --plain` sends words of yours in clear, and nothing else."
)


def _what_is_wrong(keys: Sequence[ContactKey], now: dt.datetime) -> str:
    chosen = current(keys)
    flaw = flaw_of(chosen, now) if chosen is not None else None
    if flaw is not None:
        return f"the user's public key {FLAW_WORDS[flaw]}"
    if waiting(keys):
        return "a public key came that nobody has accepted, and none is in use"
    return "of the public keys that came for the user, none is accepted (any more)"


def path_of(draft: Message) -> Path:
    """Return what a message leaves as; raises ValueError when that is not known."""
    return Path(DraftDetails.load(draft).path)
