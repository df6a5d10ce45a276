# SPDX-License-Identifier: AGPL-3.0-or-later
"""The gateway to OpenPGP: opens, checks, seals, and never hands out what is not proven sound."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from desk.letters.opened import Encryption, EncryptionState, Signature
from mail.openpgp import packets, status
from mail.openpgp.ephemeral_homes import passing_home
from mail.openpgp.executor import GpgExecutor
from mail.openpgp.process import Agent, GpgLimits, GuardedGpg, KeyringUnusable, Run, in_memory
from mail.openpgp.public_keys import (
    KeyRefused,
    PublicKey,
    SecretKey,
    addresses_in,
    export_for,
    export_minimal,
    extend_key,
    read_public_keys,
    secret_keys,
)

__all__ = [
    "Decrypted",
    "GpgExecutor",
    "GpgLimits",
    "KeyRefused",
    "Keyring",
    "KeyringUnusable",
    "PublicKey",
    "SealRefused",
    "Sealed",
    "SecretKey",
    "Signed",
    "read_public_key",
]

_SOUND = frozenset((EncryptionState.OK, EncryptionState.NONE))
_COMPRESS_FROM = 1_000_000
_SLACK = 64 * 1024


class SealRefused(Exception):
    """Nothing was encrypted or signed; the text says why, without personal data."""


@dataclass(frozen=True)
class Decrypted:
    """A message, judged; `data` is None unless the verdict is `ok` or nothing was encrypted."""

    encryption: Encryption
    data: bytes | None = field(default=None, repr=False)
    signatures: tuple[Signature, ...] = ()
    """The worst first."""
    decrypted_to: tuple[str, ...] = ()
    """Fingerprints of the desk's primary keys that opened it."""
    session_digest: str | None = None
    """SHA-256 of the session key: the same for a ciphertext that somebody sends once more."""
    exhausting: bool = False
    """Whether it ran into a limit of time, memory or size."""


@dataclass(frozen=True)
class Signed:
    """A detached signature and the name of its hash for Content-Type (RFC 3156, 5)."""

    armor: bytes = field(repr=False)
    micalg: str


@dataclass(frozen=True)
class Sealed:
    """A signed and encrypted message."""

    armor: bytes = field(repr=False)
    micalg: str


class Keyring:
    """The desk's secret keys in a home of their own. Blocking; safe to use from several threads.

    `passphrase` protects all keys of the home and must hold at least 20 random bytes, because the
    home's agent stretches it only a little (`s2k-count 65536`: 7 ms for a letter instead of 200).
    Public keys of others are never stored here; they come with each call.
    """

    def __init__(self, home: Path, *, passphrase: str | None, limits: GpgLimits | None = None) -> None:
        """Raises KeyringUnusable when GnuPG is missing or the home is none."""
        self._passphrase = passphrase
        self._limits = limits or GpgLimits()
        home = home.absolute()
        try:
            self._agent = Agent(home)
            self._gpg = GuardedGpg(home, self._limits)
        except (OSError, ValueError):
            raise KeyringUnusable("GnuPG cannot be started in the OpenPGP home.") from None
        self._found_agent = self._agent.answers()
        self._own: tuple[SecretKey, ...] | None = None
        self._own_written: object = None
        self._changing = threading.Lock()

    def close(self) -> None:
        """Stop the agent, unless another process has started it: it may be in use there."""
        if not self._found_agent:
            self._agent.stop()

    # Opening

    def decrypt(self, message: bytes, signers: Sequence[bytes] = ()) -> Decrypted:
        """Open one OpenPGP message and check its signatures against the public keys `signers`.

        A message that is only signed (clearsigned, or in packets) gives its text with the verdict `none`.
        Raises KeyringUnusable when it is the desk's fault that it cannot be opened.
        """
        message = _unarmored(message)
        most = self._limits.most_output(len(message))
        args = ["--max-output", str(most), "--show-session-key", "--decrypt"]
        # Quiet saves the look-up of user ids, a tenth of the time, and tells too little when it fails.
        run = self._run_with_signers(["--quiet", *args], message, signers)
        verdict = status.judge_encryption(run.lines, has_aead_key=run.has_aead_key)
        if verdict.state not in _SOUND and not run.killed:
            run = self._run_with_signers(args, message, signers)
            verdict = status.judge_encryption(run.lines, has_aead_key=run.has_aead_key)
        if run.killed:
            broken = Encryption(EncryptionState.BROKEN, "Opening it took too much time or memory.")
            return Decrypted(broken, exhausting=True)
        if verdict.state in _SOUND and run.returncode != 0 and len(run.data) + _SLACK >= most:
            return Decrypted(_too_large(most), exhausting=True)
        if verdict.state in _SOUND and not self._return_code_agrees(run, message):
            verdict = Encryption(EncryptionState.BROKEN, status.BROKEN_PARTS)
        if verdict.state not in _SOUND:
            if packets.is_newer(message):
                return Decrypted(status.NEWER)
            self._blame_the_desk(run)
            return Decrypted(verdict)
        return Decrypted(
            encryption=verdict,
            data=run.data,
            signatures=status.judge_signatures(run.lines, run.returncode),
            decrypted_to=status.decrypted_to(run.lines),
            session_digest=run.session_digest,
        )

    def verify_detached(
        self, signed: bytes, signature: bytes, signers: Sequence[bytes] = ()
    ) -> tuple[Signature, ...]:
        """Check the signatures in `signature` over exactly the bytes `signed`; worst first, never empty."""
        with in_memory([_unarmored(signature)]) as ([path], files):
            args = ["--enable-special-filenames", "--verify", path, "-"]
            run = self._run_with_signers(args, signed, signers, files)
        return status.judge_signatures(run.lines, run.returncode) or (status.UNREAD,)

    def _run_with_signers(
        self, args: list[str], data: bytes, signers: Sequence[bytes], files: Sequence[int] = ()
    ) -> Run:
        if not signers:
            return self._run_with_secrets(args, data, files)
        try:
            ring = b"".join(packets.dearmor(key) for key in signers)
        except packets.Malformed as problem:
            raise KeyRefused(str(problem)) from None
        with in_memory([ring]) as ([path], own):
            return self._run_with_secrets(["--keyring", path, *args], data, [*files, *own])

    def _run_with_secrets(self, args: list[str], data: bytes, files: Sequence[int] = ()) -> Run:
        agent = self._agent.known or self._agent.awake()
        run = self._gpg.run(args, data, passphrase=self._passphrase, files=files)
        # The agent that was known may have been lost since, and another thread may have started a new one.
        if run.returncode == 0 or run.killed or self._agent.awake() == agent:
            return run
        return self._gpg.run(args, data, passphrase=self._passphrase, files=files)

    def _return_code_agrees(self, run: Run, message: bytes) -> bool:
        # A signature that cannot be checked and a hidden recipient that is not us both give 2, as a fault
        # does. Only another run that leaves signatures and recipients aside can tell them apart.
        if run.returncode == 0:
            return True
        args = ["--skip-verify", "--decrypt"]
        with in_memory([(run.session_key or "").encode()]) as (_, files):
            if run.session_key:
                args[:0] = ["--override-session-key-fd", str(files[0])]
            again = self._run_with_secrets(args, message, files)
        return again.returncode == 0 and again.data == run.data

    def _blame_the_desk(self, run: Run) -> None:
        if status.desk_failed(run.lines):
            raise KeyringUnusable("The desk's OpenPGP key is there, but its passphrase is wrong or missing.")
        if status.agent_failed(run.lines):
            raise KeyringUnusable("The desk's gpg-agent ran out of memory or time, or ended at its work.")
        if not self._agent.answers():
            raise KeyringUnusable("The desk's gpg-agent does not answer.")
        if not run.lines and self._gpg.run(["--version"], b"").returncode != 0:
            raise KeyringUnusable("GnuPG cannot run; its limits may be too small.")

    # Sealing

    def encrypt_and_sign(self, data: bytes, *, to: Sequence[bytes], signer: str) -> Sealed:
        """Encrypt to all the public keys `to` and sign with the key of the full fingerprint `signer`.

        Raises SealRefused unless GnuPG states that everything happened as asked.
        """
        if not to:
            raise SealRefused("There is no key to encrypt to.")
        keys = [self._binary(key) for key in to]
        args = ["--armor", "--encrypt", "--sign", "--local-user", self._signer(signer)]
        args += ["-z", "0"] if len(data) < _COMPRESS_FROM else []
        with in_memory(keys) as (paths, files):
            for path in paths:
                args += ["--recipient-file", path]
            run = self._run_with_secrets(args, data, files)
            refused = [
                paths.index(name) + 1 for name in status.refused_recipients(run.lines) if name in paths
            ]
        if refused:
            raise SealRefused(
                f"One cannot encrypt to key number {refused[0]} of {len(to)}: it is expired or unfit."
            )
        created = self._created(run, signer)
        if not status.encrypted(run.lines) or _count_recipients(run.data) != len(to):
            raise SealRefused("GnuPG did not encrypt to exactly the keys it was given.")
        return Sealed(run.data, created.micalg)

    def sign_detached(self, data: bytes, *, signer: str) -> Signed:
        """Sign exactly these bytes. Raises SealRefused."""
        args = ["--armor", "--detach-sign", "--local-user", self._signer(signer)]
        run = self._run_with_secrets(args, data)
        return Signed(run.data, self._created(run, signer).micalg)

    def _created(self, run: Run, signer: str) -> status.Created:
        created = status.created(run.lines)
        own = next((key for key in self.secret_keys() if key.fingerprint == signer), None)
        if run.returncode != 0 or created is None or own is None or not run.data:
            self._blame_the_desk(run)
            if run.killed or not run.lines:
                raise KeyringUnusable("GnuPG ended before it had signed.")
            raise SealRefused("GnuPG did not sign with the queue's key.")
        if created.fingerprint not in own.fingerprints:
            raise SealRefused("GnuPG signed with another key than the queue's.")
        return created

    def _signer(self, fingerprint: str) -> str:
        own = next((key for key in self.secret_keys() if key.fingerprint == fingerprint), None)
        if own is None:
            raise SealRefused("The desk does not have the key it should sign with.")
        if own.expired or own.revoked or not own.can_sign:
            raise SealRefused("The queue's key cannot sign: it is expired, revoked or not made for it.")
        return fingerprint

    def _binary(self, key: bytes) -> bytes:
        try:
            data = packets.dearmor(key)
            tags = [packet.tag for packet in packets.packets(data)]
        except packets.Malformed:
            raise SealRefused("One of the keys to encrypt to cannot be read.") from None
        # GnuPG would take the first and be silent about the others.
        if tags[:1] != [packets.PUBLIC_KEY] or tags.count(packets.PUBLIC_KEY) != 1:
            raise SealRefused("One of the keys to encrypt to is not exactly one public key.")
        return data

    # Keys

    def addresses_of(self, fingerprint: str, signers: Sequence[bytes] = ()) -> frozenset[str]:
        """The mail addresses, in lower case, of one of the public keys `signers` or of the home."""
        if not fingerprint:
            return frozenset()
        # With the trust model "always", GnuPG dies of a revoked key in a home that has no trust database.
        args = ["--trust-model", "direct", "--list-keys", "--", fingerprint]
        run = self._run_with_signers(args, b"", signers)
        return addresses_in(run.data, fingerprint)

    def read_public_keys(self, key: bytes) -> tuple[PublicKey, ...]:
        """All public keys in armored or binary `key`, which is stored nowhere. Raises KeyRefused."""
        return read_public_keys(self._gpg, key)

    def secret_keys(self) -> tuple[SecretKey, ...]:
        """The desk's own keys. Raises KeyringUnusable."""
        written = self._agent.home_written()
        if self._own is None or self._own_written != written:
            self._own, self._own_written = self._list_own(), written
        return self._own

    def _list_own(self) -> tuple[SecretKey, ...]:
        # Without its agent GnuPG lists no secret key, and says nothing of it.
        agent, found = self._agent.awake(), secret_keys(self._gpg)
        return found if self._agent.awake() == agent else secret_keys(self._gpg)

    def make_key(self, user_id: str, *, expires: int) -> str:
        """Make an Ed25519 key with a Curve25519 subkey for `expires` days; its fingerprint."""
        if not user_id or not user_id.isprintable():
            raise KeyRefused("A user id is one line of visible characters.")
        args = ["--quick-generate-key", user_id, "future-default", "default", f"{expires}d"]
        if self._passphrase is None:
            args[:0] = ["--pinentry-mode", "loopback", "--passphrase", ""]
        with self._changing:
            run = self._run_with_secrets(args, b"")
            self._own = None
            made = [line.words for line in run.lines if line.key == "KEY_CREATED"]
            if len(made) == 1:
                # GnuPG gives the end to the primary key only.
                self._run_with_secrets(["--quick-set-expire", made[0][1], f"{expires}d", "*"], b"")
        if run.returncode != 0 or len(made) != 1 or made[0][0] != "B":
            raise KeyRefused("GnuPG did not make the key; perhaps there is one for this user id already.")
        return made[0][1]

    def extend(self, fingerprint: str, period: str) -> SecretKey:
        """Let one of the desk's keys and its subkeys live for a period from now on ("2y", "90d").

        Returns the key as it is then. Raises KeyRefused.
        """
        with self._changing:
            extend_key(self._gpg, self._run_with_secrets, fingerprint, period)
            self._own = None
        return next(key for key in self.secret_keys() if key.fingerprint == fingerprint)

    def import_secret_key(self, key: bytes) -> str:
        """Take in one secret key that has the home's passphrase or none; its fingerprint.

        Afterwards it has the home's passphrase. Raises KeyRefused.
        """
        known = {own.fingerprint for own in self.secret_keys()}
        with self._changing:
            run = self._run_with_secrets(["--import-options", "import-minimal", "--import"], key)
            self._own = None
        taken = {line.words[1] for line in run.lines if line.key == "IMPORT_OK" and int(line.words[0]) & 16}
        if len(taken) != 1:
            raise KeyRefused("There is not exactly one secret key in it.")
        [fingerprint] = taken
        if self._passphrase is not None:
            self._run_with_secrets(["--passwd", fingerprint], b"")
        try:
            self.sign_detached(b"", signer=fingerprint)
        except (KeyringUnusable, SealRefused):
            if fingerprint not in known:
                self._remove(fingerprint)
            raise KeyRefused(
                "The key cannot sign, so it was not kept: its passphrase is not the desk's."
            ) from None
        return fingerprint

    def _remove(self, fingerprint: str) -> None:
        with self._changing:
            self._run_with_secrets(["--yes", "--delete-secret-and-public-key", fingerprint], b"")
            self._own = None

    def export_public_key(self, fingerprint: str) -> bytes:
        """The desk's own public key, minimal and armored. Raises KeyRefused."""
        if fingerprint not in {key.fingerprint for key in self.secret_keys()}:
            raise KeyRefused("The desk does not have this key.")
        return export_minimal(self._gpg, fingerprint)

    def key_to_offer(self, fingerprint: str, address: str) -> bytes:
        """The desk's own public key for a header (Autocrypt Level 1, 2.1.1): armored, without dead parts.

        Of its user ids only that of the address, if it has one. Raises KeyRefused.
        """
        return export_for(self._gpg, fingerprint, address) or self.export_public_key(fingerprint)


def _too_large(most: int) -> Encryption:
    size = most // 1_000_000
    return Encryption(EncryptionState.BROKEN, f"It unpacks to more than {size} MB. Nothing of it is shown.")


def _unarmored(block: bytes) -> bytes:
    """Undo the armor of a message or a signature; what cannot be read goes to GnuPG as it is.

    GnuPG 2.2 takes armor without a checksum, optional since RFC 9580, for a message that was tampered with.
    """
    try:
        is_clearsigned = packets.SIGNED_BEGIN in block
        return packets.with_checksum(block) if is_clearsigned else packets.dearmor(block)
    except packets.Malformed:
        return block


def _count_recipients(armor: bytes) -> int | None:
    try:
        return packets.recipients(packets.dearmor(armor))
    except packets.Malformed:
        return None


def read_public_key(key: bytes, *, limits: GpgLimits | None = None) -> PublicKey:
    """The one public key in armored or binary `key`, read in a home that is thrown away.

    Raises KeyRefused, also when there are several.
    """
    with passing_home() as home:
        found = read_public_keys(GuardedGpg(home, limits or GpgLimits()), key)
    if len(found) > 1:
        raise KeyRefused(f"There are {len(found)} keys in it; one was expected.")
    return found[0]
