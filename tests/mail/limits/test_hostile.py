# SPDX-License-Identifier: AGPL-3.0-or-later
"""What hostile letters of about 1 MB cost: little time and memory, whatever they unpack to."""

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.mail.people import Person, desk, encrypted, entity, headers, multipart, person, signed

MEGABYTES = 300
SECONDS = 10.0  # 2 on a quiet machine
LINE = b"words and more words of somebody who writes long\r\n"


def nested(depth: int, type_: str = "multipart/mixed") -> bytes:
    levels = (f'Content-Type: {type_}; boundary="b{n}"\r\n\r\n--b{n}\r\n' for n in range(depth))
    return "".join(levels).encode() + b"\r\nbottom\r\n"


def attached(content: bytes, name: str) -> bytes:
    head = f'Content-Type: application/octet-stream; name="{name}"\r\nContent-Disposition: attachment\r\n\r\n'
    return head.encode() + content


@dataclass(frozen=True)
class Writer:
    """Somebody who means harm, and the desk's key."""

    alice: Person
    public: bytes

    def packed(self, data: bytes) -> bytes:
        """Encrypt what packs well."""
        return self.alice.encrypt(data, self.public, "--compress-algo", "bzip2")

    def fat(self, type_: str, encoding: str, body: bytes) -> bytes:
        """Hide 22 MB in a letter of 1 MB, of which most does not pack: the limits are at their widest."""
        part = f"Content-Type: {type_}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body
        letter = multipart("multipart/mixed", attached(os.urandom(700_000), "noise"), part)
        return encrypted(self.alice.encrypt(letter, self.public, "--compress-algo", "zlib", "-z", "3"))


def write_all(by: Writer) -> dict[str, bytes]:
    """Return the letters by name, without their headers."""
    page = b"<p>words</p>" * 1_900_000
    controls = "é\r\x01".encode() * 5_700_000
    bomb, text = by.packed(bytes(40_000_000)), by.packed(LINE * 40_000).decode()
    files = [attached(bomb, f"{n}.pgp") for n in range(9)]
    return {
        "headers": b"X: y\r\n" * 170_000,
        "deep": nested(1000),
        "messages": b"Content-Type: message/rfc822\r\n\r\n" * 1000,
        "parts": multipart("multipart/mixed", *[b"\r\nx"] * 10_000),
        "bomb": encrypted(bomb),
        "bombs": multipart("multipart/mixed", *files),
        "texts": multipart("multipart/mixed", *[entity(text)] * 9),
        "html": by.fat("text/html", "8bit", page),
        "controls": by.fat("text/plain", "8bit", controls),
        "base64": by.fat("text/plain", "base64", base64.encodebytes(b"x" * 16_000_000)),
        "uuencode": by.fat("x/y", "x-uuencode", b"begin 644 x\r\n" + b"#0V%T\r\n" * 2_700_000),
        "marks": entity("-----BEGIN PGP MESSAGE-----\n" * 36_000),
        "signed": signed(by.alice, entity("a line\n" * 140_000)),
    }


FOUND = {
    "headers": "The letter has more than 256 KB of headers.",
    "deep": "The letter's parts are nested more than 30 deep.",
    "messages": "none",
    "parts": "The letter has more than 500 parts.",
    "bomb": "broken",
    "bombs": "broken",
    "texts": "ok",
    "html": "ok",
    "controls": "ok",
    "base64": "ok",
    "uuencode": "ok",
    "marks": "none",
    "signed": "none",
}


@pytest.fixture(scope="module", name="costs")
def measure(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Open all the letters in one process: what it held at most was the worst of them."""
    folder = tmp_path_factory.mktemp("hostile")
    with desk(folder / "desk") as home, person("alice@user.example", folder / "alice") as alice:
        letters = write_all(Writer(alice, home.public))
        for name, letter in letters.items():
            (folder / name).write_bytes(headers(alice.address) + letter)
        command = [sys.executable, "-m", "tests.mail.opening_child", str(folder / "desk")]
        names = [str(folder / name) for name in letters]
        done = subprocess.run(
            [*command, *names], capture_output=True, check=True, cwd=Path(__file__).parents[3]
        )
    return {Path(name).name: cost for name, cost in json.loads(done.stdout).items()}


@pytest.mark.parametrize("name", FOUND)
def test_a_hostile_letter_costs_little(costs: dict[str, Any], name: str) -> None:
    cost = costs[name]
    assert cost["found"] == FOUND[name]
    assert cost["seconds"] < SECONDS
    assert cost["megabytes"] < MEGABYTES
