# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signatures on JSON, against the examples of Matrix's specification."""

import pytest

from bot.identity.signing import canonical, decode, encode, is_signed, public_key, signed
from storage.sealing import ed25519

SEED = decode("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
ANA = "@ana:example.org"


@pytest.mark.parametrize(
    ("value", "signature"),
    [
        ({}, "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"),
        (
            {"one": 1, "two": "Two"},
            "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
        ),
    ],
)
def test_the_specifications_examples_are_signed_alike(value: dict[str, object], signature: str) -> None:
    assert encode(ed25519.sign(SEED, canonical(value))) == signature


def test_a_signature_counts_for_its_value_its_user_and_its_key_alone() -> None:
    key = public_key(SEED)
    value = signed({"one": 1}, ANA, SEED)
    assert is_signed(value, ANA, key)
    assert not is_signed({**value, "one": 2}, ANA, key)
    assert not is_signed(value, "@kim:example.org", key)
    other = public_key(bytes(32))
    moved = {**value, "signatures": {ANA: {f"ed25519:{other}": value["signatures"][ANA][f"ed25519:{key}"]}}}
    assert not is_signed(moved, ANA, other)


@pytest.mark.parametrize("key", ["", "AAAA", "é", "A" * 43])
def test_what_is_no_key_has_signed_nothing(key: str) -> None:
    signature = signed({}, ANA, SEED)["signatures"][ANA].popitem()[1]
    assert not is_signed({"signatures": {ANA: {f"ed25519:{key}": signature}}}, ANA, key)
