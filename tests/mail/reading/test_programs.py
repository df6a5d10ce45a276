# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters as each mail program writes them, as far as it matters here, and what is read of them."""

import base64
from dataclasses import dataclass

import pytest

from desk.letters.quoted_text import own_words
from fuzz.open_keyring import FILLER, OpenKeyring
from mail.reading.open_letter import open_letter
from tests.mail.mime.test_files import FILE, HEAD, WORDS


def letter(*lines: str) -> bytes:
    return "\r\n".join(["To: help@desk.example", "MIME-Version: 1.0", *lines, ""]).encode()


PACKED = base64.encodebytes(HEAD + WORDS + FILE).decode().strip()
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
SEALED = ("-----BEGIN PGP MESSAGE-----", "{}", FILLER.decode(), "-----END PGP MESSAGE-----")


def sealed(*inner: str) -> str:
    """What `fuzz.open_keyring` opens."""
    return "\r\n".join(SEALED).replace("{}", "\r\n".join(inner))


OUTLOOK = letter(
    "From: Ana <ana@user.example>",
    "Subject: RE: wifi",
    "Thread-Topic: wifi",
    "Content-Language: en-US",
    "X-MS-Has-Attach: yes",
    "X-MS-TNEF-Correlator: <x@user.example>",
    'Content-Type: multipart/mixed; boundary="_000_AB_"',
    "",
    "--_000_AB_",
    'Content-Type: text/plain; charset="us-ascii"',
    "Content-Transfer-Encoding: quoted-printable",
    "",
    "",
    "--_000_AB_",
    'Content-Type: application/ms-tnef; name="winmail.dat"',
    "Content-Transfer-Encoding: base64",
    "",
    PACKED,
    "--_000_AB_--",
)
GMAIL = letter(
    "From: Ana <ana@gmail.example>",
    "Subject: =?UTF-8?Q?Wi=E2=80=91Fi_geht_nicht?=",
    'Content-Type: multipart/mixed; boundary="000000000000a1"',
    "",
    "--000000000000a1",
    'Content-Type: multipart/alternative; boundary="000000000000b2"',
    "",
    "--000000000000b2",
    'Content-Type: text/plain; charset="UTF-8"',
    "Content-Transfer-Encoding: quoted-printable",
    "",
    "Es geht immer noch nicht, gr=C3=BC=C3=9Fe",
    "",
    "Am Mo., 2. M=C3=A4rz 2026 um 10:00 Uhr schrieb Help <help@desk.example>:",
    "",
    "> Und jetzt?",
    "--000000000000b2",
    'Content-Type: text/html; charset="UTF-8"',
    "Content-Transfer-Encoding: quoted-printable",
    "",
    '<div dir=3D"ltr">Es geht immer noch nicht</div><br><div class=3D"gmail_quote">',
    "<blockquote>Und jetzt?</blockquote></div>",
    "--000000000000b2--",
    "--000000000000a1",
    'Content-Type: image/png; name="shot.png"',
    'Content-Disposition: attachment; filename="shot.png"',
    "Content-Transfer-Encoding: base64",
    "X-Attachment-Id: f_m1",
    "",
    PNG,
    "--000000000000a1--",
)
APPLE = letter(
    "From: Ana <ana@me.example>",
    "Subject: wifi",
    'Content-Type: multipart/alternative; boundary="Apple-Mail=_A"',
    "",
    "--Apple-Mail=_A",
    "Content-Transfer-Encoding: quoted-printable",
    "Content-Type: text/plain;",
    "\tcharset=utf-8",
    "",
    "See the picture.",
    "",
    "> On 2. Mar 2026, at 10:00, Help <help@desk.example> wrote:",
    ">=20",
    "> And now?",
    "--Apple-Mail=_A",
    'Content-Type: multipart/related; type="text/html"; boundary="Apple-Mail=_B"',
    "",
    "--Apple-Mail=_B",
    "Content-Type: text/html; charset=utf-8",
    "",
    '<html><body>See the picture. <img src="cid:1@x"></body></html>',
    "--Apple-Mail=_B",
    "Content-Disposition: inline; filename=shot.png",
    "Content-Type: image/png; x-unix-mode=0666; name=shot.png",
    "Content-Transfer-Encoding: base64",
    "Content-Id: <1@x>",
    "",
    PNG,
    "--Apple-Mail=_B--",
    "--Apple-Mail=_A--",
)
THUNDERBIRD = letter(
    "From: Ana <ana@user.example>",
    "Subject: ...",
    'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted";',
    ' boundary="------------T1"',
    "",
    "This is an OpenPGP/MIME encrypted message (RFC 4880 and 3156)",
    "--------------T1",
    "Content-Type: application/pgp-encrypted",
    "Content-Description: PGP/MIME version identification",
    "",
    "Version: 1",
    "",
    "--------------T1",
    'Content-Type: application/octet-stream; name="encrypted.asc"',
    "Content-Description: OpenPGP encrypted message",
    'Content-Disposition: inline; filename="encrypted.asc"',
    "",
    sealed(
        'Content-Type: multipart/mixed; boundary="------------T2";',
        ' protected-headers="v1"',
        "Subject: wifi",
        "From: Ana <ana@user.example>",
        "",
        "--------------T2",
        "Content-Type: text/plain; charset=UTF-8; format=flowed",
        "",
        "It does ",
        "not work.",
        "-- ",
        "Ana",
        "--------------T2--",
    ),
    "--------------T1--",
)
K9 = letter(
    "From: ana@user.example",
    "Subject: [...]",
    "User-Agent: K-9 Mail for Android",
    "Content-Type: multipart/encrypted; boundary=----K9; protocol=application/pgp-encrypted",
    "",
    "------K9",
    "Content-Type: application/pgp-encrypted",
    "",
    "Version: 1",
    "------K9",
    'Content-Type: application/octet-stream; name="encrypted.asc"',
    'Content-Disposition: inline; filename="encrypted.asc"',
    "",
    sealed(
        "Content-Type: multipart/mixed; boundary=----IN; protected-headers=v1",
        "Subject: wifi",
        "",
        "------IN",
        "Content-Type: text/plain; protected-headers=v1",
        "Content-Disposition: inline",
        "",
        "Subject: wifi",
        "------IN",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: quoted-printable",
        "",
        "It does not work.",
        "-- ",
        "Sent from my Android device with K-9 Mail.",
        "------IN--",
    ),
    "------K9--",
)
PROTON = letter(
    "From: Ana <ana@proton.example>",
    "Subject: wifi",
    "Content-Type: multipart/mixed;boundary=---------------------p1",
    "",
    "-----------------------p1",
    "Content-Type: multipart/alternative;boundary=---------------------p2",
    "",
    "-----------------------p2",
    "Content-Type: text/plain;charset=utf-8",
    "Content-Transfer-Encoding: base64",
    "",
    base64.b64encode(b"It does not work.\n\nSent with Proton Mail secure email.").decode(),
    "-----------------------p2",
    "Content-Type: text/html;charset=utf-8",
    "Content-Transfer-Encoding: base64",
    "",
    base64.b64encode(b"<div>It does not work.</div>").decode(),
    "-----------------------p2--",
    "-----------------------p1",
    'Content-Type: application/pgp-keys; filename="publickey.asc"; name="publickey.asc"',
    "Content-Transfer-Encoding: base64",
    'Content-Disposition: attachment; filename="publickey.asc"; name="publickey.asc"',
    "",
    base64.b64encode(
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n" + b"A" * 90 + b"\n-----END PGP PUBLIC KEY BLOCK-----\n"
    ).decode(),
    "-----------------------p1--",
)
MUTT = letter(
    "From: Ana <ana@user.example>",
    "Subject: wifi",
    "Content-Type: text/plain; charset=us-ascii; x-action=pgp-encrypted; format=flowed",
    "Content-Disposition: inline; filename=msg.pgp",
    "",
    sealed("It does not work."),
)


@dataclass(frozen=True)
class Read:
    """What must be read of a letter."""

    form: str
    subject: str
    own: str
    files: tuple[str, ...] = ()
    keys: int = 0
    protected: bool = False


PROGRAMS: dict[str, tuple[bytes, Read]] = {
    "Outlook": (OUTLOOK, Read("plain", "RE: wifi", "Hello\nПри 你here <http://evil.example>", ("été.exe",))),
    "Gmail": (GMAIL, Read("plain", "Wi‑Fi geht nicht", "Es geht immer noch nicht, grüße", ("shot.png",))),
    "Apple Mail": (APPLE, Read("plain", "wifi", "See the picture.", ("shot.png",))),
    "Thunderbird": (THUNDERBIRD, Read("pgp/mime encrypted", "wifi", "It does not work.", protected=True)),
    "K-9": (K9, Read("pgp/mime encrypted", "wifi", "It does not work.", protected=True)),
    "Proton Mail": (
        PROTON,
        Read("plain", "wifi", "It does not work.", keys=1),
    ),
    "mutt": (MUTT, Read("inline encrypted", "wifi", "It does not work.")),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_each_mail_program_writes_is_read(program: str) -> None:
    raw, expected = PROGRAMS[program]
    opened = open_letter(raw, OpenKeyring())
    assert (
        Read(
            opened.form,
            opened.headers.subject,
            own_words(opened.text).strip(),
            tuple(one.name for one in opened.attachments),
            len(opened.keys),
            opened.headers.protected,
        )
        == expected
    )
