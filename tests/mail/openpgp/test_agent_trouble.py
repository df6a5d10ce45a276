# SPDX-License-Identifier: AGPL-3.0-or-later
"""Want of memory or of an agent passes: no letter is called broken for it, and no answer is given up."""

import errno
import os
import resource
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mail.openpgp import process
from mail.openpgp.keyring import GpgLimits, Keyring, KeyringUnusable
from mail.openpgp.process import GuardedGpg, Run
from mail.openpgp.status import StatusLine

SAMPLES = Path(__file__).parent.parent.parent / "mails" / "whisperback"
SECRET_KEY = (SAMPLES / "TEST-ONLY-helpdesk-secret-key.asc").read_bytes()
"""RSA: it takes more memory than a key on a curve."""
PASSPHRASE = "test-only-0123456789abcdef"
END = b"-----END PGP MESSAGE-----\n"


@dataclass(frozen=True)
class Desk:
    keyring: Keyring
    fingerprint: str
    message: bytes

    def sign(self) -> bytes:
        return self.keyring.sign_detached(b"words", signer=self.fingerprint).armor


@pytest.fixture(scope="module", name="desk")
def make_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    keyring = Keyring(tmp_path_factory.mktemp("keys") / "desk", passphrase=PASSPHRASE)
    letter = (SAMPLES / "01-new-en-wifi-large.eml").read_bytes().replace(b"\r\n", b"\n")
    message = letter[letter.index(b"-----BEGIN PGP MESSAGE") : letter.index(END) + len(END)]
    try:
        yield Desk(keyring, keyring.import_secret_key(SECRET_KEY), message)
    finally:
        keyring.close()


def test_many_at_once_do_not_exhaust_the_agent(desk: Desk) -> None:
    with ThreadPoolExecutor(24) as crowd:
        opened = [crowd.submit(desk.keyring.decrypt, desk.message) for _ in range(48)]
        signed = [crowd.submit(desk.sign) for _ in range(48)]
    assert {one.result().encryption.state.value for one in opened} == {"ok"}
    assert all(one.result() for one in signed)


@pytest.mark.parametrize("code", [4 << 24 | 32854, 1 << 24 | 32854, 4 << 24 | 16383])
def test_an_agent_in_trouble_is_the_desks_fault_and_passes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """No memory, as the agent and as its library tell it; and an agent that ended at its work."""
    told = {"--decrypt": ("ERROR", f"pkdecrypt_failed {code}"), "--detach-sign": ("FAILURE", f"sign {code}")}

    def fail(_: object, args: Sequence[str], *_rest: object, **_more: object) -> Run:
        fault = next(told[arg] for arg in args if arg in told)
        return Run((StatusLine("ENC_TO", "7DF1B9DB15559065 1 0"), StatusLine(*fault)), 2, b"")

    assert desk.sign()
    monkeypatch.setattr(GuardedGpg, "run", fail)
    with pytest.raises(KeyringUnusable, match="agent"):
        desk.keyring.decrypt(desk.message)
    with pytest.raises(KeyringUnusable, match="agent"):
        desk.sign()


def test_an_agent_that_another_thread_has_started_anew_signs_the_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert desk.sign()
    run, agent, losses = GuardedGpg.run, desk.keyring._agent, iter([True])

    def lose_the_agent(*args: Any, **options: Any) -> Run:
        if not next(losses, False):
            return run(*args, **options)
        agent.stop()
        try:
            return run(*args, **options)
        finally:
            agent.awake()

    monkeypatch.setattr(GuardedGpg, "run", lose_the_agent)
    assert desk.sign()
    assert not list(losses)


class Stumbling(GuardedGpg):
    """A GnuPG that ends without a word a few times."""

    def __init__(self, of: GuardedGpg, times: int) -> None:
        self.__dict__.update(of.__dict__)
        self._times = times

    def make_args(self, args: list[str], passphrase: bool) -> list[str]:  # noqa: FBT001 - as python-gnupg has it
        self._times -= 1
        return ["false"] if self._times >= 0 else list(super().make_args(args, passphrase))


def test_a_gpg_that_ends_without_a_word_gets_another_try(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert desk.sign()
    gpg = desk.keyring._gpg
    monkeypatch.setattr(desk.keyring, "_gpg", Stumbling(gpg, 1))
    assert desk.sign()
    public = desk.keyring.export_public_key(desk.fingerprint)
    monkeypatch.setattr(desk.keyring, "_gpg", Stumbling(gpg, 1))
    assert [key.fingerprint for key in desk.keyring.read_public_keys(public)] == [desk.fingerprint]
    monkeypatch.setattr(desk.keyring, "_gpg", Stumbling(gpg, 2))
    with pytest.raises(KeyringUnusable):
        desk.sign()


def test_the_keys_of_a_home_that_cannot_be_listed_are_not_taken_for_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.keyring, "_own", None)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(desk.keyring, "_gpg", Stumbling(desk.keyring._gpg, 2))
        with pytest.raises(KeyringUnusable):
            desk.keyring.secret_keys()
    assert [key.fingerprint for key in desk.keyring.secret_keys()] == [desk.fingerprint]


class Waiting(Stumbling):
    """Runs a program that ends by itself only after a minute."""

    def make_args(self, args: Sequence[str], passphrase: Any) -> list[str]:
        """Wait in GnuPG's place."""
        return ["sleep", "60"]


@pytest.mark.timeout(30)
def test_a_gpg_that_cannot_be_waited_for_is_ended_and_the_desks_fault(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[int] = []

    def fail(pid: int) -> int:
        children.append(pid)
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(os, "pidfd_open", fail)
    with pytest.raises(KeyringUnusable):
        Waiting(desk.keyring._gpg, 0).run(["--decrypt"], b"")
    assert len(children) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(children[0], 0)


@pytest.mark.timeout(30)
def test_a_gpg_that_cannot_be_confined_is_ended_and_the_desks_fault(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[int] = []

    def fail(pid: int, *_: object) -> None:
        children.append(pid)
        raise PermissionError

    monkeypatch.setattr(resource, "prlimit", fail)
    with pytest.raises(KeyringUnusable):
        Waiting(desk.keyring._gpg, 0).run(["--decrypt"], b"")
    with pytest.raises(ProcessLookupError):
        os.kill(children[0], 0)


def test_no_hard_limit_of_core_dumps_falls_while_gnupg_sets_it(desk: Desk) -> None:
    """GnuPG reads that limit as it starts and sets it to the same: when it fell in between, GnuPG dies."""
    before = resource.getrlimit(resource.RLIMIT_CORE)[1]
    with desk.keyring._gpg._open_subprocess(["--decrypt"]) as child:
        after = resource.prlimit(child.pid, resource.RLIMIT_CORE)
        child.kill()
    assert after == (0, before)


def test_a_limit_that_is_lower_already_stays_and_prevents_no_start(desk: Desk) -> None:
    """As `ulimit -v` has set it, which nobody but root may raise."""
    lower = 700_000_000
    assert lower < GpgLimits().memory_bytes
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            resource.prlimit(child.pid, resource.RLIMIT_AS, (lower, lower))
            process._confine(child.pid, GpgLimits())
            assert resource.prlimit(child.pid, resource.RLIMIT_AS) == (lower, lower)
        finally:
            child.kill()
