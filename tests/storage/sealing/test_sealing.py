# SPDX-License-Identifier: AGPL-3.0-or-later
"""Personal words are sealed: bound to their place, opened by the right master key, absent from the files."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from desk.outbox.posts import SAY, put
from storage.models import ContactKey, Event, EventState, KeyState
from storage.queries.letters import IncomingMail
from storage.sealing.vault import (
    MASTER_KEY_BYTES,
    DataKey,
    SealBroken,
    TagKind,
    Vault,
    address_tag,
    new_master_key,
)
from storage.unit import Units
from tests.worlds.desk import Desk, desk_at

PLAIN = "grüße\0".encode()


def test_a_seal_opens_in_its_place_only():
    key, _ = Vault(new_master_key()).new_key(ref="r")
    sealed = key.seal(PLAIN, where="ticket|contact|r1")
    assert key.unseal(sealed, where="ticket|contact|r1") == PLAIN
    for elsewhere in ("ticket|contact|r2", "ticket|subject|r1", "letter|contact|r1"):
        with pytest.raises(SealBroken):
            key.unseal(sealed, where=elsewhere)


def test_a_changed_or_cut_seal_does_not_open():
    key, _ = Vault(new_master_key()).new_key(ref="r")
    sealed = key.seal(PLAIN, where="w")
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(SealBroken):
            key.unseal(bytes(changed), where="w")
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            key.unseal(sealed[:length], where="w")


def test_the_same_words_are_sealed_differently_each_time():
    key, _ = Vault(new_master_key()).new_key(ref="r")
    assert len({key.seal(PLAIN, where="w") for _ in range(100)}) == 100


def test_a_wrapped_key_opens_for_its_row_and_its_master_key_only():
    master = new_master_key()
    key, wrapped = Vault(master).new_key(ref="r")
    assert Vault(master).unwrap(wrapped, ref="r") == key
    assert Vault(new_master_key(), older=[master]).unwrap(wrapped, ref="r") == key
    for vault, ref, broken in (
        (Vault(master), "other", wrapped),
        (Vault(new_master_key()), "r", wrapped),
        (Vault(master), "r", wrapped[:-1]),
        (Vault(master), "r", b""),
        (Vault(master), "r", b"\x02" + wrapped[1:]),
    ):
        with pytest.raises(SealBroken):
            vault.unwrap(broken, ref=ref)


def test_a_short_master_key_is_refused_without_being_shown():
    with pytest.raises(ValueError, match=f"has {MASTER_KEY_BYTES} bytes, this one has 31") as refused:
        Vault(b"k" * 31)
    assert "kkk" not in str(refused.value)
    assert "secret" not in repr(DataKey(b"secret" * 6))


def test_tags_find_what_is_alike_and_tell_nothing_without_the_key():
    vault = Vault(new_master_key())
    assert address_tag(vault, " USER@Example.org ") == address_tag(vault, "user@example.org")
    # Upper and lower case are not the same everywhere: ß is written SS in capitals.
    assert address_tag(vault, "STRASSE@example.org") == address_tag(vault, "straße@example.org")
    assert vault.tag(TagKind.ADDRESS, "a") != vault.tag(TagKind.MESSAGE_ID, "a")
    assert vault.tag(TagKind.ADDRESS, "a") != Vault(new_master_key()).tag(TagKind.ADDRESS, "a")
    assert len(vault.reply_token("r")) == 16
    assert vault.reply_token("r") != vault.reply_token("s")


async def test_moved_to_another_row_a_sealed_column_does_not_open(desk: Desk):
    await desk.ticket()
    await desk.ticket(contact="other@example.org")
    async with desk.units() as unit:
        await unit._session.execute(
            text(
                "UPDATE ticket SET contact_sealed = (SELECT contact_sealed FROM ticket WHERE id = 1),"
                " wrapped_key = (SELECT wrapped_key FROM ticket WHERE id = 1) WHERE id = 2"
            )
        )
    async with desk.units() as unit:
        assert (await unit.tickets.get(1)).contact == "user@example.org"
        moved = await unit.tickets.get(2)
        with pytest.raises(SealBroken):
            _ = moved.contact


@pytest.mark.parametrize(
    "moved",
    [
        "UPDATE message SET text_sealed = (SELECT text_sealed FROM message WHERE id = 1) WHERE id = 2",
        "UPDATE message SET text_sealed = subject_sealed WHERE id = 2",
    ],
)
async def test_within_a_ticket_no_text_can_take_the_place_of_another(desk: Desk, moved: str):
    await desk.ticket("Yes.")
    await desk.user_writes(1, "No.")
    assert [each.text for each in await desk.messages(1)] == ["Yes.", "No."]
    async with desk.units() as unit:
        await unit._session.execute(text(moved))
    found = await desk.messages(1)
    assert found[0].text == "Yes."
    with pytest.raises(SealBroken):
        _ = found[1].text


async def test_with_another_master_key_nothing_opens(desk: Desk):
    await desk.ticket()
    async with Units(desk.units.engine, Vault(new_master_key()))() as unit:
        ticket = await unit.tickets.get(1)
        with pytest.raises(SealBroken):
            _ = ticket.contact


async def test_with_its_key_destroyed_a_row_is_unreadable(desk: Desk):
    await desk.ticket()
    async with desk.units() as unit:
        (await unit.tickets.get(1)).wrapped_key = None
    async with desk.units() as unit:
        ticket = await unit.tickets.get(1)
        with pytest.raises(LookupError):
            _ = ticket.contact


CANARY = "cAnArY-7f3a"


async def _fill(desk: Desk) -> None:
    """Put the canary into everything that is personal."""
    await desk.ticket(f"{CANARY} text", contact=f"{CANARY}@example.org", subject=f"{CANARY} subject")
    await desk.say(f"!note {CANARY} note", ticket=1)
    await desk.say(f"!reply {CANARY} answer", ticket=1)
    await desk.say("!cancel", ticket=1)
    await desk.say(f"!close {CANARY} reason", ticket=1)
    await desk.say(f"!room open @{CANARY.lower()}:example.org @{CANARY.lower()}:b.test", ticket=1)
    now, raw = desk.clock.now, f"From: {CANARY}".encode()
    async with desk.units() as unit:
        await put(desk.work(unit), SAY, "a", f"{CANARY} payload")
        event = Event(event_id="$1", room_id="!en", state=EventState.NEW, heard_at=now)
        await unit.journal.add(event, f"{CANARY} content", sender=f"@{CANARY}:b.test")
        await unit.pins.put(f"@{CANARY}:b.test", CANARY, now)
        (await unit.pins.every())[0].shown_key = CANARY
        new = IncomingMail("en", f"{CANARY}@example.org", f"{CANARY}token", raw)
        await unit.letters.keep(new, ref="letter", at=now, source="lmtp")
        tag = unit.vault.tag(TagKind.ADDRESS, CANARY)
        key = ContactKey(
            ref="key",
            contact_tag=tag,
            source="attached",
            state=KeyState.SEEN,
            prefers_encryption=False,
            letters=1,
            seen_at=now,
            last_seen_at=now,
        )
        await unit.keys.add(key, fingerprint=CANARY * 3, armor=CANARY.encode())


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def test_no_personal_word_is_in_the_files_of_the_database(tmp_path: Path):
    async with desk_at(f"sqlite+aiosqlite:///{tmp_path / 'helproom.db'}") as desk:
        await _fill(desk)
        files = _files(tmp_path)
        assert {"helproom.db", "helproom.db-wal"} <= set(files)
        found = b"".join(files.values())
        assert b"ticket" in found, "the test looks at the right files"
        assert CANARY.lower().encode() not in found.lower()
        assert (await desk.look(1)).contact == f"{CANARY}@example.org"
    with sqlite3.connect(tmp_path / "helproom.db") as connection:
        assert CANARY.lower() not in "\n".join(connection.iterdump()).lower()
        [(rows,)] = connection.execute("SELECT count(*) FROM outbox WHERE payload_sealed IS NOT NULL")
    connection.close()
    assert rows


async def test_no_personal_word_is_in_any_column(desk: Desk):
    await _fill(desk)
    async with desk.units() as unit:
        for table in ("ticket", "message", "letter", "outbox", "event", "room", "contact_key", "pin", "fact"):
            rows = (await unit._session.execute(text(f"SELECT * FROM {table}"))).all()
            assert rows or table == "fact"
            assert CANARY.lower() not in repr(rows).lower()
