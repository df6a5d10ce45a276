# SPDX-License-Identifier: AGPL-3.0-or-later
"""A refreshed key is merged with what is known of it, and nothing that was known is lost."""

import datetime as dt
from pathlib import Path

import pytest

from desk.keys.offers import digest_of
from mail.openpgp.keyring import KeyRefused, read_public_key
from mail.openpgp.merging import merge_public_keys, merged_offer
from mail.openpgp.packets import PUBLIC_KEY, SIGNATURE, armor, dearmor, packets
from mail.openpgp.public_keys import offered
from tests.mail.people import Person, person


@pytest.fixture(scope="module", name="copies")
def make_copies(alice: Person, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Copies of one key in the order of its life."""
    copies = {"first": alice.public}
    alice.gpg("--quick-set-expire", alice.fingerprint, "3y")
    copies["longer"] = alice.gpg("--armor", "--export", alice.fingerprint)
    alice.gpg("--quick-add-key", alice.fingerprint, "cv25519", "encr", "2y")
    copies["new subkey"] = alice.gpg("--armor", "--export", alice.fingerprint)
    certificate = (alice.home / "openpgp-revocs.d" / f"{alice.fingerprint}.rev").read_bytes()
    alice.gpg("--import", data=certificate.replace(b":-----BEGIN", b"-----BEGIN"))
    copies["revoked"] = alice.gpg("--armor", "--export", alice.fingerprint)
    return copies


@pytest.mark.parametrize("turned", [False, True])
def test_the_longer_life_counts_whichever_came_first(copies: dict[str, bytes], *, turned: bool) -> None:
    pair = (copies["first"], copies["longer"])
    merged = merge_public_keys(*(pair[::-1] if turned else pair))
    assert merged.fingerprint == read_public_key(copies["first"]).fingerprint
    assert merged.expires is not None
    assert merged.expires - merged.created > dt.timedelta(days=3 * 365 - 2)


@pytest.mark.parametrize("turned", [False, True])
def test_a_new_subkey_is_kept_whichever_came_first(copies: dict[str, bytes], *, turned: bool) -> None:
    pair = (copies["longer"], copies["new subkey"])
    merged = merge_public_keys(*(pair[::-1] if turned else pair))
    assert merged.key_ids == read_public_key(copies["new subkey"]).key_ids
    assert len(merged.key_ids) == 3


@pytest.mark.parametrize("turned", [False, True])
def test_a_revocation_stays_whichever_came_first(copies: dict[str, bytes], *, turned: bool) -> None:
    pair = (copies["longer"], copies["revoked"])
    merged = merge_public_keys(*(pair[::-1] if turned else pair))
    assert (merged.revoked, merged.can_encrypt) == (True, False)


def test_one_can_encrypt_to_what_was_merged(copies: dict[str, bytes], alice: Person) -> None:
    merged = merge_public_keys(copies["first"], copies["new subkey"])
    assert merged.can_encrypt
    assert alice.gpg("--decrypt", data=alice.encrypt(b"words", merged.armor)) == b"words"


def test_two_different_keys_are_not_merged(copies: dict[str, bytes], tmp_path: Path) -> None:
    with person("bob@user.example", tmp_path / "bob") as bob:
        with pytest.raises(KeyRefused, match="2 keys"):
            merge_public_keys(copies["first"], bob.public)
        known = read_public_key(copies["first"])
        offer = merged_offer(known.armor, offered(read_public_key(bob.public), "attached"))
        assert (offer.fingerprint, offer.armor) == (known.fingerprint, known.armor)


def test_a_forged_revocation_is_not_taken_in(copies: dict[str, bytes], tmp_path: Path) -> None:
    """Somebody puts their own revocation behind another's key: its signature does not fit."""
    with person("eve@evil.example", tmp_path / "eve") as eve:
        certificate = (eve.home / "openpgp-revocs.d" / f"{eve.fingerprint}.rev").read_bytes()
        eve.gpg("--import", data=certificate.replace(b":-----BEGIN", b"-----BEGIN"))
        revoked = eve.gpg("--export", eve.fingerprint)
    stolen = next(packet for packet in packets(revoked) if packet.tag == SIGNATURE)
    primary, *rest = packets(dearmor(copies["first"]))
    assert primary.tag == PUBLIC_KEY
    forged = armor(b"".join([primary.raw, stolen.raw, *(packet.raw for packet in rest)]))
    assert not merge_public_keys(copies["first"], forged).revoked


def test_an_offer_carries_what_is_needed_to_keep_it(copies: dict[str, bytes]) -> None:
    known = read_public_key(copies["first"])
    offer = merged_offer(known.armor, offered(read_public_key(copies["longer"]), "autocrypt"))
    assert (offer.source, offer.problem, offer.grown_from) == ("autocrypt", "", digest_of(known.armor))
    assert offer.came_as == digest_of(read_public_key(copies["longer"]).armor)
    assert offer.expires_at is not None
    assert known.encrypts_until is not None
    assert offer.expires_at > known.encrypts_until
    assert (offer.algorithm, offer.addresses) == ("Ed25519", ("alice@user.example",))
