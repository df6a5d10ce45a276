# SPDX-License-Identifier: AGPL-3.0-or-later
"""Verdicts on decryptions and signatures: pure functions over GnuPG's status lines (doc/DETAILS)."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from desk.letters.opened import Encryption, EncryptionState, Signature, SignatureState

_FATAL = frozenset(
    ["BADARMOR", "BADMDC", "DECRYPTION_FAILED", "ERROR", "FAILURE", "NODATA", "TRUNCATED", "UNEXPECTED"]
)
_ONE_EACH = ("BEGIN_DECRYPTION", "PLAINTEXT", "DECRYPTION_OKAY", "END_DECRYPTION")
_VERDICTS = frozenset(["GOODSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "BADSIG", "ERRSIG"])
_HASHES = {2: "sha1", 3: "ripemd160", 8: "sha256", 9: "sha384", 10: "sha512", 11: "sha224"}
_NO_PUBKEY = "9"
_DESK_FAULTS = frozenset((11, 77, 85, 86, 99, 177))
"""libgpg-error: bad passphrase, no agent, no pinentry, pinentry failed, cancelled, no passphrase."""
_PASSING_FAULTS = frozenset((62, 259, 270, 271, 16383))
"""libgpg-error: time is over, the agent cannot be connected to, read from or written to, and is gone."""
_SYSTEM_FAULT = 1 << 15
"""Set in the codes that come from the operating system: no memory, too many files."""
_PRIMARY_IN_VALIDSIG = 9
_MADE_IN_VALIDSIG = 2
_LONGEST_SECONDS = 11
_FPR_IN_ERRSIG = 6
_FPR_DIGITS = 40

_NO_MDC = (
    "It has no protection against changes (no MDC): anybody may have altered it. Nothing of it is shown."
)
BROKEN_PARTS = (
    "It was damaged or changed on its way, or it is no proper OpenPGP message. Nothing of it is shown."
)
NEWER = Encryption(
    EncryptionState.UNDECRYPTABLE,
    "It is in the format of 2024 (RFC 9580, version 6), which the desk's GnuPG does not read. "
    "Ask the user to encrypt to the desk's published key with another program or setting.",
)
_UNKNOWN_KEYS = (
    "It is encrypted to keys which the desk does not have{}. Ask the user to take the desk's published key."
)
UNREAD = Signature(SignatureState.BAD, None, detail="The signature could not be read.")
_MOST_NAMED = 3
"""Ids of keys that are told of a letter that cannot be opened."""
_PASSWORD = Encryption(
    EncryptionState.UNDECRYPTABLE,
    "It is encrypted with a password, not to a key. Ask the user to encrypt to the desk's published key.",
)


@dataclass(frozen=True)
class StatusLine:
    """One status line: keyword and the rest, still escaped as GnuPG wrote it."""

    key: str
    value: str

    @property
    def words(self) -> list[str]:
        """The value, split at spaces."""
        return self.value.split(" ")


Lines = Sequence[StatusLine]


def _values(lines: Lines, key: str) -> list[list[str]]:
    return [line.words for line in lines if line.key == key]


def _fatal(lines: Lines) -> bool:
    # GnuPG 2.4 ends every unsuccessful run with "FAILURE gpg-exit": that is the return code once more.
    return any(line.key in _FATAL and line.words[0] != "gpg-exit" for line in lines)


def desk_failed(lines: Lines) -> bool:
    """Whether the desk's own key could not be used for a reason that is not in the letter."""
    return any(code in _DESK_FAULTS for code in _faults(lines))


def agent_failed(lines: Lines) -> bool:
    """Whether the agent failed for a reason that neither key nor letter has, and that will pass."""
    return any(code in _PASSING_FAULTS or code & _SYSTEM_FAULT for code in _faults(lines))


def _faults(lines: Lines) -> list[int]:
    """Codes of the faults of decrypting and signing with a secret key, without the program they came from."""
    told = [*_values(lines, "ERROR"), *_values(lines, "FAILURE")]
    codes = [words[1] for words in told if words[0].startswith(("pkdecrypt", "sign")) and words[1:]]
    return [int(code) & 0xFFFF for code in codes if code.isdigit()]


def judge_encryption(lines: Lines, *, has_aead_key: bool = False) -> Encryption:
    """The verdict from status lines alone; OK still needs a return code of 0 or one that is explained.

    `has_aead_key`: the session key is one for authenticated encryption, of which GnuPG 2.2 tells no more than
    GOODMDC.
    """
    keys = [line.key for line in lines]
    if not {"BEGIN_DECRYPTION", "ENC_TO", "NEED_PASSPHRASE_SYM"}.intersection(keys):
        if keys.count("PLAINTEXT") == 1 and not _fatal(lines):
            return Encryption(EncryptionState.NONE, "It is an OpenPGP message, but it is not encrypted.")
        return Encryption(EncryptionState.BROKEN, "It holds no sound OpenPGP message.")
    if _decrypted(lines, has_aead_key=has_aead_key):
        return Encryption(EncryptionState.OK, "It has hidden recipients." if _hidden(lines) else "")
    if "DECRYPTION_KEY" not in keys and ("DECRYPTION_OKAY" not in keys or "NEED_PASSPHRASE_SYM" in keys):
        return _without_key(lines)
    return _damaged(lines)


def _decrypted(lines: Lines, *, has_aead_key: bool) -> bool:
    keys = [line.key for line in lines]
    if _fatal(lines) or "DECRYPTION_KEY" not in keys:
        return False
    if any(keys.count(key) != 1 for key in _ONE_EACH) or not _authenticated(lines, has_aead_key=has_aead_key):
        return False
    begin, end = keys.index("BEGIN_DECRYPTION"), keys.index("END_DECRYPTION")
    inside = {"PLAINTEXT", "DECRYPTION_OKAY", "NEWSIG", *_VERDICTS}
    return all(begin < at < end for at, key in enumerate(keys) if key in inside)


def _authenticated(lines: Lines, *, has_aead_key: bool) -> bool:
    infos = _values(lines, "DECRYPTION_INFO")
    if len(infos) != 1:
        return False
    method, aead = infos[0][0], infos[0][2] if infos[0][2:] else "0"
    good_mdc = sum(line.key == "GOODMDC" for line in lines) == 1
    return aead != "0" or ((method != "0" or has_aead_key) and good_mdc)


def _without_key(lines: Lines) -> Encryption:
    keys = [line.key for line in lines]
    if "NO_SECKEY" in keys:
        return Encryption(EncryptionState.UNDECRYPTABLE, _UNKNOWN_KEYS.format(_named(lines)))
    if "NEED_PASSPHRASE_SYM" in keys:
        return _PASSWORD
    return Encryption(EncryptionState.BROKEN, BROKEN_PARTS)


def _named(lines: Lines) -> str:
    """Say which keys a letter is encrypted to, so that an agent can tell an old key of the desk."""
    ids = dict.fromkeys(words[0] for words in _values(lines, "ENC_TO") if set(words[0]) != {"0"})
    more = ", …" if len(ids) > _MOST_NAMED else ""
    return f" ({', '.join(list(ids)[:_MOST_NAMED])}{more})" if ids else ""


def _damaged(lines: Lines) -> Encryption:
    if any(words[0] == "0" and words[2:] in ([], ["0"]) for words in _values(lines, "DECRYPTION_INFO")):
        return Encryption(EncryptionState.BROKEN, _NO_MDC)
    return Encryption(EncryptionState.BROKEN, BROKEN_PARTS)


def decrypted_to(lines: Lines) -> tuple[str, ...]:
    """Fingerprints of the primary keys that opened it."""
    return tuple(words[1] for words in _values(lines, "DECRYPTION_KEY") if words[1:])


def judge_signatures(lines: Lines, returncode: int) -> tuple[Signature, ...]:
    """All signatures, the worst first, so that one bad signature is never hidden behind a good one."""
    found = [_judge_one(group) for group in _groups(lines)]
    if not (returncode == 0 or _explained(lines)) or _fatal(lines):
        found = [_demoted(signature) for signature in found]
    return tuple(sorted(found, key=lambda signature: _BADNESS.index(signature.state)))


def _explained(lines: Lines) -> bool:
    """Whether another signature, or a hidden recipient who is not the desk, is why it was not 0."""
    return _hidden(lines) or any(line.key in {"BADSIG", "ERRSIG"} for line in lines)


def _hidden(lines: Lines) -> bool:
    return any(set(words[0]) == {"0"} for words in _values(lines, "ENC_TO"))


_BADNESS = (
    SignatureState.BAD,
    SignatureState.REVOKED_KEY,
    SignatureState.EXPIRED_KEY,
    SignatureState.UNKNOWN_KEY,
    SignatureState.PARTIAL,
    SignatureState.GOOD_OTHER_SENDER,
    SignatureState.GOOD,
)


def _demoted(signature: Signature) -> Signature:
    if signature.state is not SignatureState.GOOD:
        return signature
    return Signature(SignatureState.BAD, signature.fingerprint, detail="GnuPG reported an error about it.")


def _groups(lines: Lines) -> Iterator[list[StatusLine]]:
    group: list[StatusLine] = []
    for line in lines:
        if line.key == "NEWSIG":
            if group:
                yield group
            group = [line]
        elif group or line.key in _VERDICTS:
            group.append(line)
    if group:
        yield group


def _judge_one(group: Sequence[StatusLine]) -> Signature:
    verdicts = [line for line in group if line.key in _VERDICTS]
    if len(verdicts) != 1:
        return UNREAD
    [verdict] = verdicts
    if verdict.key == "ERRSIG":
        return _not_checked(verdict.words)
    if verdict.key == "BADSIG":
        return Signature(SignatureState.BAD, None, detail="What was signed is not what arrived.")
    return _checked(verdict.key, _values(group, "VALIDSIG"))


def _checked(key: str, valid: Sequence[Sequence[str]]) -> Signature:
    if len(valid) != 1 or len(valid[0]) <= _PRIMARY_IN_VALIDSIG:
        return Signature(SignatureState.BAD, None, detail="GnuPG did not confirm the signature.")
    fingerprint = valid[0][_PRIMARY_IN_VALIDSIG]
    state, detail = {
        "GOODSIG": (SignatureState.GOOD, ""),
        "EXPSIG": (SignatureState.EXPIRED_KEY, "The signature itself has expired."),
        "EXPKEYSIG": (SignatureState.EXPIRED_KEY, "The key it was made with has expired."),
        "REVKEYSIG": (SignatureState.REVOKED_KEY, "The key it was made with was revoked."),
    }[key]
    return Signature(state, fingerprint, detail=detail, made_at=_made_at(valid[0]))


def _made_at(valid: Sequence[str]) -> dt.datetime | None:
    """Return the time in VALIDSIG: seconds since 1970."""
    seconds = valid[_MADE_IN_VALIDSIG]
    if not seconds.isdecimal() or len(seconds) > _LONGEST_SECONDS:
        return None
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC)


def _not_checked(words: Sequence[str]) -> Signature:
    if words[5:6] != [_NO_PUBKEY]:
        return Signature(SignatureState.BAD, None, detail="GnuPG cannot check it: its kind is not accepted.")
    claimed = words[_FPR_IN_ERRSIG] if len(words) > _FPR_IN_ERRSIG else ""
    known = claimed if len(claimed) == _FPR_DIGITS else None
    return Signature(
        SignatureState.UNKNOWN_KEY, known, detail="The desk does not have the key it was made with."
    )


@dataclass(frozen=True)
class Created:
    """A signature GnuPG says it made; `fingerprint` is that of the signing (sub)key."""

    fingerprint: str
    micalg: str


def created(lines: Lines) -> Created | None:
    """The one signature that was created, or None if there is not exactly one (RFC 3156, 5)."""
    made = _values(lines, "SIG_CREATED")
    if len(made) != 1 or len(made[0]) < 6 or not made[0][2].isdigit():  # noqa: PLR2004  (fields of SIG_CREATED)
        return None
    name = _HASHES.get(int(made[0][2]))
    return Created(made[0][5], f"pgp-{name}") if name else None


def encrypted(lines: Lines) -> bool:
    """Whether GnuPG says that it encrypted, once and to everybody."""
    keys = [line.key for line in lines]
    trouble = {"ERROR", "FAILURE", "INV_RECP", "INV_SGNR", "NO_RECP"}.intersection(keys)
    return not trouble and keys.count("BEGIN_ENCRYPTION") == 1 and keys.count("END_ENCRYPTION") == 1


def refused_recipients(lines: Lines) -> list[str]:
    """The names of the files with keys that GnuPG did not encrypt to."""
    return [words[-1] for words in _values(lines, "INV_RECP")]
