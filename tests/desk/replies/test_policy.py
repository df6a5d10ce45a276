# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail leaves protected, or for a stated reason in clear, or not at all."""

import datetime as dt
import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.keys.offers import keep
from desk.keys.standing import contact_standing
from desk.letters.opened import OfferedKey
from desk.replies import protection as policy
from desk.replies.protection import IN_CLEAR, KeyStanding, MailContent, Path, decide, protection_of
from desk.world import Refusal
from storage.models import ContactKey, KeyState
from storage.sealing.vault import Vault
from tests.worlds.desk import MONDAY_NOON, Desk

HOUR = dt.timedelta(hours=1)
FIRST, SECOND = "1" * 40, "2" * 40
SEEN, PINNED, CHANGED = KeyState.SEEN, KeyState.PINNED, KeyState.CHANGED
REFUSED, REPLACED = KeyState.REFUSED, KeyState.REPLACED
FRESH, OLD = MONDAY_NOON + HOUR, MONDAY_NOON - HOUR


async def decided(desk: Desk, *, confidential: bool, keys: list) -> str:
    """Return the fingerprint that protects, "clear", or the refusal."""
    number = await desk.ticket(confidential=confidential)
    async with desk.units() as unit:
        ticket = await unit.tickets.get(number)
        for fingerprint, state, expires in keys:
            key = OfferedKey(fingerprint, "attached", fingerprint.encode(), expires)
            await keep(desk.work(unit), ticket.contact_tag, key, state)
        try:
            protection = await protection_of(unit, ticket, desk.clock.now)
        except Refusal as why:
            return str(why)
        if protection.fingerprint is None:
            assert protection.key is None
            return "clear"
        assert protection.key == protection.fingerprint.encode()
        return protection.fingerprint


@pytest.mark.parametrize("confidential", [True, False])
@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        ([(FIRST, SEEN, None)], FIRST),
        ([(FIRST, SEEN, FRESH)], FIRST),
        ([(FIRST, SEEN, None), (SECOND, CHANGED, None)], FIRST),
        ([(FIRST, SEEN, OLD), (SECOND, PINNED, None)], SECOND),
        ([(FIRST, SEEN, None), (SECOND, PINNED, None)], SECOND),
    ],
)
async def test_a_usable_key_protects_whatever_the_ticket_is(
    desk: Desk, *, confidential: bool, keys: list, chosen: str
):
    assert await decided(desk, confidential=confidential, keys=keys) == chosen


@pytest.mark.parametrize(
    ("confidential", "keys", "why"),
    [
        (True, [], "no public key of the user is known"),
        (True, [(FIRST, SEEN, OLD)], "has expired"),
        (True, [(FIRST, SEEN, MONDAY_NOON)], "has expired"),
        (True, [(FIRST, CHANGED, None)], "that nobody has accepted, and none is in use"),
        (
            True,
            [(FIRST, SEEN, OLD), (SECOND, CHANGED, None)],
            "has expired. `!key show` shows the waiting one",
        ),
        (True, [(FIRST, SEEN, None), (SECOND, PINNED, OLD)], "has expired"),
        (True, [(FIRST, REFUSED, None), (SECOND, REPLACED, None)], "none is accepted (any more)"),
        (False, [(FIRST, SEEN, OLD)], "this mail does not leave in clear"),
    ],
)
async def test_without_a_usable_key_nothing_leaves(desk: Desk, *, confidential: bool, keys: list, why: str):
    answer = await decided(desk, confidential=confidential, keys=keys)
    assert answer.startswith("Not sent: ")
    assert why in answer


async def test_only_who_never_wrote_encrypted_and_has_no_key_is_answered_in_clear(desk: Desk):
    assert await decided(desk, confidential=False, keys=[]) == "clear"


async def test_the_key_of_one_contact_does_not_protect_mail_to_another(desk: Desk):
    await desk.ticket(contact="other@example.org")
    await desk.user_has_key()
    assert "no public key" in await decided(desk, confidential=True, keys=[])


async def test_a_contact_is_known_whatever_the_case_of_the_address(desk: Desk):
    await desk.ticket(contact="USER@Example.org")
    await desk.user_has_key()
    assert (await decided(desk, confidential=True, keys=[])).startswith("0123")


VAULT = Vault(b"k" * 32)
KEYS = st.tuples(
    st.sampled_from([SEEN, PINNED, CHANGED, REFUSED, REPLACED]),
    st.sampled_from([None, KeyState.REVOKED, KeyState.UNUSABLE]),
    st.sampled_from([None, OLD, MONDAY_NOON, FRESH]),
)


def made_key(
    number: int, state: KeyState, problem: KeyState | None, expires: dt.datetime | None
) -> ContactKey:
    """Return a key as it would be kept, without a database."""
    key = ContactKey(ref=f"key{number}", state=state, problem=problem, seen_at=OLD, decided_at=OLD)
    key.take_new_key(VAULT)
    key.fingerprint, key.armor, key.expires_at = f"{number:040}", f"{number}".encode(), expires
    return key


@given(confidential=st.booleans(), facts=st.lists(KEYS, max_size=4))
def test_whatever_is_known_of_the_keys_a_mail_leaves_encrypted_to_a_good_one_or_not_at_all(
    *, confidential: bool, facts: list
):
    keys = [made_key(number, *fact) for number, fact in enumerate(facts)]
    try:
        protection = decide(KeyStanding(keys, confidential, MONDAY_NOON))
    except Refusal:
        assert keys or confidential
        return
    if protection.key is None:
        assert not keys
        assert not confidential
        assert contact_standing(keys, MONDAY_NOON) is KeyState.NONE
        return
    state, problem, expires = facts[int(protection.fingerprint or "")]
    assert state in {SEEN, PINNED}
    assert state is PINNED or PINNED not in [fact[0] for fact in facts]
    assert problem is None
    assert expires is None or expires > MONDAY_NOON
    assert contact_standing(keys, MONDAY_NOON) is state


@pytest.mark.parametrize("confidential", [True, False])
@pytest.mark.parametrize("state", KeyState)
def test_each_state_of_a_contact_encrypts_or_refuses_and_only_none_may_be_clear(
    *, confidential: bool, state: KeyState
):
    flaws: dict[KeyState, tuple[Any, ...]] = {KeyState.EXPIRED: (SEEN, None, OLD)}
    flaws |= {each: (PINNED, each, None) for each in (KeyState.REVOKED, KeyState.UNUSABLE)}
    keys = [] if state is KeyState.NONE else [made_key(1, *flaws.get(state, (state, None, None)))]
    assert contact_standing(keys, MONDAY_NOON) is state
    if state is KeyState.NONE and not confidential:
        assert decide(KeyStanding(keys, confidential, MONDAY_NOON)).key is None
    elif state in {SEEN, PINNED}:
        assert decide(KeyStanding(keys, confidential, MONDAY_NOON)).key == b"1"
    else:
        with pytest.raises(Refusal):
            decide(KeyStanding(keys, confidential, MONDAY_NOON))


def test_the_preview_says_what_a_key_is_worth():
    seen, pinned = made_key(1, SEEN, None, None), made_key(2, PINNED, None, None)
    assert "first seen 2026-03-02, compared by nobody" in _words(seen)
    assert "accepted 2026-03-02 by a sysadmin" in _words(pinned)
    assert "another key waits for your word" in _words(seen, made_key(3, CHANGED, None, None))


def _words(*keys: ContactKey) -> str:
    return decide(KeyStanding(keys, confidential=True, now=MONDAY_NOON)).words


def test_a_path_without_a_policy_does_not_import():
    source = inspect.getsource(policy)
    exec(compile(source, "policy", "exec"), {"__name__": "policy"})
    grown = source.replace('    PLAIN = "plain"\n', '    PLAIN = "plain"\n    FEEDBACK = "feedback"\n')
    assert grown != source
    with pytest.raises(TypeError, match="no policy says how these mails are protected: feedback"):
        exec(compile(grown, "policy", "exec"), {"__name__": "policy"})


LOADS = st.builds(MailContent, quote=st.booleans(), files=st.booleans(), as_encrypted=st.booleans())


@given(
    path=st.sampled_from(Path),
    confidential=st.booleans(),
    known_once=st.booleans(),
    facts=st.lists(KEYS, max_size=4),
    load=LOADS,
)
def test_no_path_leaves_in_clear_what_was_protected_unless_somebody_asked(
    *, path: Path, confidential: bool, known_once: bool, facts: list, load: MailContent
):
    keys = [made_key(number, *fact) for number, fact in enumerate(facts)]
    try:
        protection = decide(KeyStanding(keys, confidential, MONDAY_NOON, known_once, load), path)
    except Refusal:
        return
    if protection.key is None and (confidential or keys or known_once):
        assert path in IN_CLEAR
        assert protection.overridden
        assert "NOT encrypted, as an agent asked for" in protection.words
    assert protection.key is None or not protection.overridden
    assert path is Path.ANSWER or not (load.quote or load.files)
    assert path in IN_CLEAR or protection.key is not None or not load.as_encrypted


@pytest.mark.parametrize(("as_encrypted", "leaves"), [(False, True), (True, False)])
def test_what_was_shown_as_encrypted_does_not_leave_in_clear(*, as_encrypted: bool, leaves: bool) -> None:
    standing = KeyStanding(
        (), confidential=False, now=MONDAY_NOON, load=MailContent(as_encrypted=as_encrypted)
    )
    if leaves:
        assert decide(standing).key is None
    else:
        with pytest.raises(Refusal, match="the preview said that it leaves encrypted"):
            decide(standing)
