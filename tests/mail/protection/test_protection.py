# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a part says that it is protected, and what only looks so."""

import pytest

from mail.mime.parts import read_parts
from mail.protection.detect import protection
from tests.mail.people import entity, multipart

VERSION = entity("Version: 1", type_="application/pgp-encrypted")
ARMOR = "-----BEGIN PGP MESSAGE-----\n\nAAAA"


def attached(first: bytes, name: str) -> bytes:
    """A file that begins with these bytes."""
    head = f'Content-Type: application/octet-stream; name="{name}"\r\nContent-Disposition: attachment\r\n\r\n'
    return head.encode() + first + b"\r\nmore"


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (multipart("multipart/mixed", entity(""), VERSION, attached(b"x", "x")), "encrypted"),
        (multipart("multipart/mixed", entity("words"), VERSION, attached(b"x", "x")), None),
        (multipart("multipart/mixed", entity(" \n" * 3000), VERSION, attached(b"x", "x")), "encrypted"),
        (multipart("multipart/mixed", entity(" \n" * 3000 + "words"), VERSION, attached(b"x", "x")), None),
        (multipart("multipart/mixed", entity(""), VERSION, entity("x")), None),
        (attached(b"\xc1x", "letter.pgp"), "file"),
        (attached(b"\x84x", "letter.gpg"), "file"),
        (attached(b"\xc3x", "letter.asc"), "file"),
        (attached(b"\xc1x", "letter.jpg"), None),
        (attached(b"\x01x", "letter.pgp"), None),
        (attached(b"\xd1x", "letter.pgp"), None),
        (attached(ARMOR.encode(), "letter.jpg"), "file"),
        (attached(b"\r\n\r\n" + ARMOR.encode(), "letter.jpg"), "file"),
        (entity(ARMOR), None),
    ],
)
def test_a_part_is_known_by_type_name_and_first_bytes(part: bytes, kind: str | None) -> None:
    assert protection(read_parts(b"MIME-Version: 1.0\r\n" + part)) == kind
