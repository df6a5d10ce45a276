# SPDX-License-Identifier: AGPL-3.0-or-later
"""Verdicts need every status line in its place, whatever an older or newer GnuPG returns."""

import pytest

from desk.letters.opened import EncryptionState, SignatureState
from mail.openpgp.status import (
    StatusLine,
    created,
    desk_failed,
    encrypted,
    judge_encryption,
    judge_signatures,
)

FPR = "A" * 40
SOUND = f"""\
ENC_TO 0123456789ABCDEF 18 0
DECRYPTION_KEY {FPR} {FPR} u
BEGIN_DECRYPTION
DECRYPTION_INFO 2 9 0
PLAINTEXT 62 0
DECRYPTION_OKAY
GOODMDC
END_DECRYPTION"""
GOOD = f"NEWSIG\nGOODSIG 1 x\nVALIDSIG {FPR} 2026-01-01 1 0 4 0 22 10 00 {FPR}"


def lines(text: str) -> list[StatusLine]:
    return [StatusLine(key, value) for key, _, value in (line.partition(" ") for line in text.splitlines())]


def test_a_sound_decryption_is_ok_with_mdc_and_with_aead() -> None:
    assert judge_encryption(lines(SOUND)).state is EncryptionState.OK
    aead = SOUND.replace("INFO 2 9 0", "INFO 0 9 2").replace("GOODMDC\n", "")
    assert judge_encryption(lines(aead)).state is EncryptionState.OK


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("GOODMDC", "BADMDC"),
        ("GOODMDC\n", ""),
        ("INFO 2 9 0", "INFO 0 9 0"),
        ("INFO 2 9 0", "INFO 2 9 0\nDECRYPTION_INFO 2 9 0"),
        ("DECRYPTION_OKAY\n", ""),
        ("DECRYPTION_OKAY", "DECRYPTION_FAILED"),
        ("END_DECRYPTION", "END_DECRYPTION\nDECRYPTION_FAILED"),
        ("END_DECRYPTION", ""),
        ("PLAINTEXT 62 0", "PLAINTEXT 62 0\nPLAINTEXT 62 0"),
        ("END_DECRYPTION", "END_DECRYPTION\nPLAINTEXT 62 0"),
        ("PLAINTEXT 62 0\nDECRYPTION_OKAY", "DECRYPTION_OKAY"),
        ("END_DECRYPTION", f"END_DECRYPTION\n{GOOD}"),
        ("ENC_TO", f"{GOOD}\nENC_TO"),
        (f"DECRYPTION_KEY {FPR} {FPR} u\n", ""),
        ("GOODMDC", "GOODMDC\nERROR some 1"),
        ("GOODMDC", "GOODMDC\nTRUNCATED 1"),
        ("GOODMDC", "GOODMDC\nUNEXPECTED 0"),
        ("END_DECRYPTION", "END_DECRYPTION\nNODATA 3"),
        ("END_DECRYPTION", f"END_DECRYPTION\n{SOUND}"),
    ],
)
def test_one_line_out_of_place_is_enough_for_broken(old: str, new: str) -> None:
    assert SOUND.count(old) == 1
    assert judge_encryption(lines(SOUND.replace(old, new))).state is EncryptionState.BROKEN


@pytest.mark.parametrize(
    ("text", "returncode", "state"),
    [
        (GOOD, 0, SignatureState.GOOD),
        (GOOD, 2, SignatureState.BAD),
        (GOOD + "\nFAILURE gpg-exit 33554433", 2, SignatureState.BAD),
        (GOOD + "\nERROR some 1", 0, SignatureState.BAD),
        (GOOD.replace("GOODSIG", "EXPKEYSIG"), 0, SignatureState.EXPIRED_KEY),
        (GOOD.replace("GOODSIG", "EXPSIG"), 0, SignatureState.EXPIRED_KEY),
        (GOOD.replace("GOODSIG", "REVKEYSIG"), 0, SignatureState.REVOKED_KEY),
        ("NEWSIG\nGOODSIG 1 x", 0, SignatureState.BAD),
        ("NEWSIG", 0, SignatureState.BAD),
        (GOOD.replace("VALIDSIG", "GOODSIG"), 0, SignatureState.BAD),
        (f"{GOOD}\n{GOOD.splitlines()[-1]}", 0, SignatureState.BAD),
        (f"NEWSIG\nERRSIG 1 22 8 00 1 9 {FPR}", 2, SignatureState.UNKNOWN_KEY),
        (f"NEWSIG\nERRSIG 1 22 1 00 1 5 {FPR}", 2, SignatureState.BAD),
        ("NEWSIG\nBADSIG 1 x", 1, SignatureState.BAD),
    ],
)
def test_a_signature_is_green_only_when_all_agrees(text: str, returncode: int, state: SignatureState) -> None:
    [found] = judge_signatures(lines(text), returncode)
    assert found.state is state


def test_what_is_not_encrypted_is_called_so_only_when_nothing_went_wrong() -> None:
    assert judge_encryption(lines("PLAINTEXT 62 0")).state is EncryptionState.NONE
    assert judge_encryption(lines("PLAINTEXT 62 0\nERROR some 1")).state is EncryptionState.BROKEN


def test_an_unknown_key_has_a_fingerprint_only_where_all_of_it_is_told() -> None:
    told = f"NEWSIG\nERRSIG 1 22 8 00 1 9 {FPR}\nNEWSIG\nERRSIG 1 22 8 00 1 9 -"
    found = judge_signatures(lines(told), 2)
    assert [(one.state, one.fingerprint) for one in found] == [
        (SignatureState.UNKNOWN_KEY, FPR),
        (SignatureState.UNKNOWN_KEY, None),
    ]


def test_a_subkey_s_signature_is_that_of_the_primary_key() -> None:
    by_subkey = GOOD.replace(f"VALIDSIG {FPR}", f"VALIDSIG {'5' * 40}")
    [found] = judge_signatures(lines(by_subkey), 0)
    assert (found.state, found.fingerprint) == (SignatureState.GOOD, FPR)


def test_no_signature_is_none() -> None:
    assert judge_signatures(lines(SOUND), 0) == ()


def test_only_our_own_failures_are_the_desks() -> None:
    assert desk_failed(lines("ERROR pkdecrypt_failed 67108875"))
    assert not desk_failed(lines("ERROR pkdecrypt_failed 67108874"))
    assert not desk_failed(lines("ERROR symkey_decrypt.maybe_error 11_BAD_PASSPHRASE"))


def test_sealing_needs_one_signature_and_one_encryption() -> None:
    made = f"SIG_CREATED S 22 10 00 1 {FPR}"
    found = created(lines(made))
    assert found is not None
    assert (found.fingerprint, found.micalg) == (FPR, "pgp-sha512")
    assert created(lines(f"{made}\n{made}")) is None
    assert created(lines(made.replace(" 10 ", " 99 "))) is None
    whole = "BEGIN_ENCRYPTION 2 9\nEND_ENCRYPTION"
    assert encrypted(lines(whole))
    for text in (
        whole + "\nINV_RECP 1 x",
        whole + "\nINV_SGNR 9 x",
        "BEGIN_ENCRYPTION 2 9",
        f"{whole}\n{whole}",
    ):
        assert not encrypted(lines(text))
