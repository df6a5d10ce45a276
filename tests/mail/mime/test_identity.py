# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two deliveries of one mail are known as one, and two mails as two."""

import pytest

from mail.mime.same_mail import identity

HEAD = "From: kim@example.org\r\nTo: help@desk.example, aide@desk.example\r\nSubject: Hi\r\n"
RAW = f"{HEAD}\r\nHello.\r\n\r\nKim\r\n".encode()


@pytest.mark.parametrize(
    "line",
    [
        "Received: from a by b\r\n\tfor <aide@desk.example>; Mon, 2 Mar 2026 12:00:00 +0000\r\n",
        "Return-Path: <kim@example.org>\r\n",
        "Delivered-To: aide+token@desk.example\r\n",
        "DELIVERED-TO: aide@desk.example\r\n",
        "X-Original-To: aide@desk.example\r\n",
        "Authentication-Results: mx; dkim=pass\r\n header.d=example.org\r\n",
        "X-Spam-Status: No,\r\n\tscore=1\r\n",
        "ARC-Seal: i=1\r\n",
    ],
)
def test_what_mail_servers_add_makes_no_other_mail(line: str) -> None:
    assert identity(line.encode() + RAW) == identity(RAW)
    assert identity(RAW.replace(b"Subject", line.encode() + b"Subject")) == identity(RAW)


def test_line_ends_make_no_other_mail() -> None:
    assert identity(RAW.replace(b"\r\n", b"\n") + b"\n") == identity(RAW)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Hello", b"Hallo"),
        (b"Subject: Hi", b"Subject: Ho"),
        (b"kim@", b"eve@"),
        (b"Subject:", b"Message-ID: <1@example.org>\r\nSubject:"),
        (b"Subject:", b"Date: Mon, 2 Mar 2026 12:00:00 +0000\r\nSubject:"),
        (b"Hello", b"Received: from a by b\r\nHello"),
    ],
)
def test_other_words_make_another_mail(old: bytes, new: bytes) -> None:
    assert identity(RAW.replace(old, new)) != identity(RAW)


@pytest.mark.parametrize(
    "raw", [b"", b"\r\n\r\n", b"no header at all", b"Received: x", b"\x00\xff: \n\n", b"\n \n"]
)
def test_whatever_comes_has_an_identity(raw: bytes) -> None:
    assert len(identity(raw)) == 64


def test_a_head_of_many_fields_takes_linear_time() -> None:
    assert len(identity(b"Received: a\n" * 100_000 + b"\n" + b"x" * 1_000_000)) == 64
