# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters whose words are packed into an S/MIME signature, as Outlook sends them."""

import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.letters.opened import Automatic, EncryptionState
from mail.protection.cms import signed_words
from mail.reading.open_letter import open_letter
from tests.mail.people import Desk, entity, headers, multipart

SIGNED = bytes.fromhex("06092a864886f70d010702")
DATA = bytes.fromhex("06092a864886f70d010701")


def openssl(folder: Path, *args: str, data: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *args], input=data, cwd=folder, check=True, capture_output=True).stdout


@pytest.fixture(scope="module", name="signer")
def make_signer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a key and its certificate."""
    folder = tmp_path_factory.mktemp("smime")
    request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(folder, *request, "-keyout", "key.pem", "-out", "cert.pem", "-days", "9", "-subj", "/CN=Kim")
    return folder


def sign(folder: Path, content: bytes, *more: str) -> bytes:
    command = ["cms", "-sign", "-signer", "cert.pem", "-inkey", "key.pem", "-binary", "-outform", "DER"]
    return openssl(folder, *command, *more, data=content)


@pytest.mark.parametrize("length", [5, 200, 70_000])
@pytest.mark.parametrize("way", ["-nosmimecap", "-stream"])
def test_what_is_signed_is_found_in_each_form(signer: Path, length: int, way: str) -> None:
    content = bytes(range(250)) * (length // 250) + b"words"
    assert signed_words(sign(signer, content, "-nodetach", way)) == content


def test_a_signature_alone_holds_no_words(signer: Path) -> None:
    assert signed_words(sign(signer, b"words")) is None


@given(
    st.binary(max_size=60), st.sampled_from([b"", b"\x30\x80" + SIGNED + b"\xa0\x80\x30\x80\x30\x80" + DATA])
)
def test_nothing_raises(content: bytes, head: bytes) -> None:
    assert signed_words(head + content) is None or content


@pytest.mark.parametrize("turns", [30, 3000, 300_000])
def test_elements_nested_without_end_are_no_message(desk: Desk, turns: int) -> None:
    nested = b"\x30\x80" * turns
    assert signed_words(nested) is None
    type_ = "application/pkcs7-mime; smime-type=signed-data"
    lines = base64.encodebytes(nested).decode()
    letter = entity(lines, "Content-Transfer-Encoding: base64", type_=type_)
    opened = open_letter(headers("kim@user.example") + letter, desk.keyring)
    assert any("cannot be read" in problem for problem in opened.problems)


def test_elements_are_counted_over_all_depths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mail.protection.cms._MOST", 50)
    pieces = b"\x24\x80" + b"\x04\x01x" * 10 + b"\x00\x00"
    for count, words in ((3, b"x"), (6, None)):
        octets = b"\x24\x80" + pieces * count + b"\x04\x01x" + b"\x00\x00"
        held = b"\x30\x80" + DATA + b"\xa0\x80" + octets + b"\x00\x00" * 2
        message = b"\x30\x80" + SIGNED + b"\xa0\x80\x30\x80\x02\x01\x01\x31\x00" + held + b"\x00\x00" * 3
        assert signed_words(message) == words


def test_pieces_without_lengths_are_joined() -> None:
    octets = b"\x24\x80\x04\x03one\x04\x03two\x00\x00"
    held = b"\x30\x80" + DATA + b"\xa0\x80" + octets + b"\x00\x00\x00\x00"
    message = b"\x30\x80" + SIGNED + b"\xa0\x80\x30\x80\x02\x01\x01\x31\x00" + held + b"\x00\x00" * 3
    assert signed_words(message) == b"onetwo"
    for end in range(len(message) - 8):
        assert signed_words(message[:end]) in {None, b"onetwo", b"one"}


def test_words_in_a_signature_are_read_and_the_signature_is_not_checked(desk: Desk, signer: Path) -> None:
    file = entity("x", "Content-Disposition: attachment; filename=a.png", type_="image/png")
    packed = sign(signer, multipart("multipart/mixed", entity("words"), file), "-nodetach", "-stream")
    lines = ("Content-Transfer-Encoding: base64", "Content-Disposition: attachment; filename=smime.p7m")
    type_ = "application/pkcs7-mime; smime-type=signed-data; name=smime.p7m"
    letter = entity(base64.encodebytes(packed).decode(), *lines, type_=type_)
    opened = open_letter(headers("kim@user.example") + letter, desk.keyring)
    assert (opened.form, opened.text, opened.signatures) == ("s/mime signed", "words", ())
    assert [one.name for one in opened.attachments] == ["a.png", "smime.p7m"]
    assert opened.problems == ("The letter has an S/MIME signature, which is not checked.",)


def packed(
    folder: Path, inner: bytes, type_: str = "application/pkcs7-mime; smime-type=signed-data"
) -> bytes:
    coded = base64.encodebytes(sign(folder, inner, "-nodetach"))
    return f"Content-Type: {type_}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode() + coded


def sealed(folder: Path, type_: str) -> bytes:
    der = openssl(folder, "cms", "-encrypt", "-outform", "DER", "cert.pem", data=b"Secret words.")
    head = f"Content-Type: {type_}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head.encode() + base64.encodebytes(der)


@pytest.mark.parametrize(
    "type_",
    ["application/pkcs7-mime; smime-type=signed-data", "application/octet-stream", "application/x-unknown"],
)
@pytest.mark.parametrize("turns", [0, 1, 2])
def test_whatever_it_says_encrypted_bytes_are_encrypted(
    desk: Desk, signer: Path, type_: str, turns: int
) -> None:
    letter = sealed(signer, type_)
    for _ in range(turns):
        letter = packed(signer, letter, "application/octet-stream")
    opened = open_letter(headers("kim@user.example") + letter, desk.keyring)
    assert opened.encryption.state is EncryptionState.UNDECRYPTABLE


def test_a_signed_message_that_is_cut_off_is_not_plain_where_it_names_what_is_encrypted(
    desk: Desk, signer: Path
) -> None:
    whole = packed(signer, sealed(signer, "application/pkcs7-mime; smime-type=enveloped-data"))
    letter = headers("kim@user.example") + whole[: len(whole) * 6 // 10]
    assert open_letter(letter, desk.keyring).encryption.state is EncryptionState.UNDECRYPTABLE


@pytest.mark.parametrize("turns", [1, 2])
def test_what_a_program_marks_under_a_signature_counts(desk: Desk, signer: Path, turns: int) -> None:
    letter = b"Auto-Submitted: auto-replied\r\nContent-Type: text/plain\r\n\r\nI am away.\r\n"
    for _ in range(turns):
        letter = packed(signer, letter)
    opened = open_letter(headers("kim@user.example") + letter, desk.keyring)
    assert (opened.automatic, opened.text.strip()) == (Automatic.AUTO_REPLY, "I am away.")
