# SPDX-License-Identifier: AGPL-3.0-or-later
"""Transfer encodings, sound and broken: what can be had is had, and nothing raises."""

import base64
import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.text.transfer_encoding import decode_transfer


@given(st.binary(max_size=200))
def test_what_was_encoded_comes_back(data: bytes) -> None:
    assert decode_transfer(base64.encodebytes(data), "base64") == data
    assert decode_transfer(base64.b64encode(data).rstrip(b"="), "base64") == data
    assert decode_transfer(binascii.b2a_qp(data, istext=False), "quoted-printable") == data
    lines = b"".join(binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45))
    assert decode_transfer(b"begin 644 x\n" + lines + b"`\nend\n", "x-uuencode") == data
    assert decode_transfer(data, "8bit") == data


@given(st.binary(max_size=200), st.sampled_from(["base64", "quoted-printable", "uue"]))
def test_nothing_raises(data: bytes, encoding: str) -> None:
    assert isinstance(decode_transfer(data, encoding), bytes)


@pytest.mark.parametrize(
    ("body", "encoding", "content"),
    [
        (b"QUJD\r\n!RA=\r\n", "base64", b"ABCD"),
        (b"QUJDR", "base64", b"ABC"),
        (b"=", "base64", b""),
        (b"Hello, you.\r\nThese are words.\r\n", "base64", b"Hello, you.\r\nThese are words.\r\n"),
        (
            b"-----BEGIN PGP MESSAGE-----\n\nQUJD\nQUJD\n",
            "base64",
            b"-----BEGIN PGP MESSAGE-----\n\nQUJD\nQUJD\n",
        ),
        (b"QUJDRA=()=\r\n", "base64", b"ABCD"),
        (b"QUJDRA==\r\n\r\nSome words.\r\nMore of them.\r\n", "base64", b"ABCD"),
        (b" QUJD \r\n\tRA==\r\n", "base64", b"ABCD"),
        (b"a=E9=\r\nb=ZZ", "quoted-printable", b"a\xe9b=ZZ"),
        (b"text before\r\nbegin 644 x\r\n#0V%T!!\r\n`\r\nend\r\n", "uuencode", b"Cat"),
        (b"no beginning", "uuencode", b"no beginning"),
        (b"begin 644", "uuencode", b"begin 644"),
    ],
)
def test_broken_encodings_give_what_can_be_had(body: bytes, encoding: str, content: bytes) -> None:
    assert decode_transfer(body, encoding) == content
