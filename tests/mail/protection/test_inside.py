# SPDX-License-Identifier: AGPL-3.0-or-later
"""What stands under an encryption is judged however it is wrapped: who wrote it, and when it was signed."""

import pytest

from desk.letters.opened import Automatic
from mail.reading.open_letter import open_letter
from tests.mail.people import Desk, Person, encrypted, headers, multipart

AWAY = b"Auto-Submitted: auto-replied\r\nContent-Type: text/plain\r\n\r\nI am away.\r\n"
READ = multipart(
    "multipart/report; report-type=disposition-notification",
    b"Content-Type: text/plain\r\n\r\nIt was read.\r\n",
    b"Content-Type: message/disposition-notification\r\n\r\nDisposition: x; displayed\r\n",
    boundary="report",
)


@pytest.mark.parametrize("inner", [AWAY, READ], ids=["away", "read"])
@pytest.mark.parametrize("turns", [0, 1, 2])
def test_a_program_is_known_within_wrappers(desk: Desk, alice: Person, inner: bytes, turns: int) -> None:
    for turn in range(turns):
        inner = multipart("multipart/mixed", inner, boundary=f"b{turn}")
    letter = headers("alice@user.example") + encrypted(alice.encrypt(inner, desk.public))
    assert open_letter(letter, desk.keyring).automatic is Automatic.AUTO_REPLY


def test_a_program_beside_a_persons_words_is_no_program(desk: Desk, alice: Person) -> None:
    inner = multipart("multipart/mixed", b"Content-Type: text/plain\r\n\r\nLook at this:\r\n", AWAY)
    letter = headers("alice@user.example") + encrypted(alice.encrypt(inner, desk.public))
    assert open_letter(letter, desk.keyring).automatic is None


def test_a_signature_older_than_the_date_inside_is_told(desk: Desk, alice: Person) -> None:
    inner = (
        b"Date: Fri, 02 Mar 2085 09:14:00 +0000\r\nFrom: alice@user.example\r\n"
        b'Content-Type: text/plain; hp="cipher"\r\n\r\nYes.\r\n'
    )
    sealed = encrypted(alice.encrypt(inner, desk.public, "--sign"))
    opened = open_letter(headers("alice@user.example") + sealed, desk.keyring, signers=[alice.public])
    assert any("long before the date" in problem for problem in opened.problems)
