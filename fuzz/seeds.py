# SPDX-License-Identifier: AGPL-3.0-or-later
"""What fuzzing begins with: letters, files and texts of every shape that Helproom knows, and its words."""

from pathlib import Path

from fuzz.open_keyring import FILLER
from tests.mail.mime.test_files import FILE, HEAD, PACKED, RTF, calendar, winmail
from tests.mail.mime.test_files import WORDS as RTF_WORDS
from tests.mail.people import encrypted, entity, headers, multipart

MAILS = Path(__file__).parents[1] / "tests" / "mails"
PAGE = (
    '<html><head><meta charset="utf-8"><style>p{}</style></head><body><p>Hello <b>you</b> &amp; me</p>'
    '<a href="http://evil.example/x">https://good.example</a><img src="cid:1" alt="A picture">'
    '<div style="display:none">hidden</div><blockquote>old <blockquote>older</blockquote></blockquote>'
    "<ul><li>one<li>two</ul><table><tr><td>a<td>b</table><pre>as  it\n is</pre></body></html>"
)
TEXT = """Hello,

my disk 0123ABCD and 00:11:22:33:44:55 and fe80::1 and 192.0.2.7, /home/amnesia, ana@user.example

On Mon, 2 Mar 2026 at 10:00, Bob <bob@user.example> wrote:
> How are you?\x20
>> Fine, \x20
>
Le lun. 2 mars 2026 à 10:00, Bob a écrit :

-----Original Message-----
From: Bob <bob@user.example>
Sent: Monday
To: Ana
Subject: Re: x

--\x20
Ana
Sent from my iPhone
"""
REPORT = """Subject: Bug report: 0123456789abcdef0123456789abcdef
Email-Address: ana@user.example
OpenPGP-Key: 0x0123456789ABCDEF
Tails-Version: 7.1 - 20260101
App: Tor Browser

Summary: it does not start
Name of the affected software
What did you do
======= content of /proc/cmdline =======
BOOT_IMAGE=/live/vmlinuz
======= output of command /bin/journalctl =======
Mar 02 10:00:00 amnesia kernel: wlan0: ESSID="home"
"""
WHISPERBACK = sorted((MAILS / "whisperback").glob("*.eml"))
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n" + "A" * 100 + "\n-----END PGP PUBLIC KEY BLOCK-----\n"
WORDS = (
    "Content-Type: ",
    "multipart/mixed",
    "multipart/encrypted",
    "multipart/signed",
    "multipart/alternative",
    "message/rfc822",
    "text/plain",
    "text/html",
    "text/calendar",
    "application/pgp-encrypted",
    "application/pgp-signature",
    "application/pgp-keys",
    "application/ms-tnef",
    "application/octet-stream",
    "application/pkcs7-mime",
    "; boundary=",
    "; charset=",
    "; name=",
    "; filename*0*=utf-8''%",
    "; format=flowed",
    "; delsp=yes",
    "; hp=cipher",
    "; hp-legacy-display=1",
    "; protected-headers=v1",
    "HP-Outer: Subject: ",
    "Content-Transfer-Encoding: ",
    "base64",
    "quoted-printable",
    "x-uuencode",
    "begin 644 x",
    "Content-Disposition: attachment",
    "Autocrypt: addr=",
    "keydata=",
    "Auto-Submitted: ",
    "Precedence: bulk",
    "List-Id: ",
    "In-Reply-To: <",
    "Reply-To: ",
    "From: ",
    "To: ",
    "Subject: ",
    "=?utf-8?q?",
    "=?utf-8?b?",
    "?=",
    "-----BEGIN PGP MESSAGE-----",
    FILLER.decode(),
    "-----END PGP MESSAGE-----",
    "-----BEGIN PGP SIGNED MESSAGE-----",
    "-----BEGIN PGP SIGNATURE-----",
    "-----END PGP SIGNATURE-----",
    "Hash: SHA512",
    "- -----",
    "Charset: ",
    "Version: 1",
    "--=-limit",
    "--=-sealed",
    "\\x0d\\x0a",
    "<blockquote>",
    "</",
    "<a href=",
    "<img alt=",
    "<pre>",
    "style=display:none",
    "<meta charset=",
    "&#",
    "<!--",
    "\\\\u",
    "\\\\'",
    "\\\\fcharset",
    "\\\\ansicpg",
    "\\\\fldrslt",
    'HYPERLINK \\"',
    "{\\\\*",
    "BEGIN:VEVENT",
    "DTSTART;TZID=",
    "RRULE:",
    "ATTENDEE;PARTSTAT=",
    "ORGANIZER;CN=",
    "SUMMARY:",
    "DURATION:P",
    "======= content of ",
    "======= output of command ",
    "Email-Address: ",
    "Tails-Version: ",
    "OpenPGP-Key: ",
    "> ",
    "-- ",
    "wrote:",
    "Original Message",
    "Sent: ",
    "ESSID=",
    "UUID=",
    "/home/",
    "::",
    "@",
    "://",
    "utf-7",
    "utf-16",
    "iso-2022-jp",
    "hz",
    "gb18030",
    "\\xef\\xbb\\xbf",
    "\\xff\\xfe",
    "\\x78\\x9f\\x3e\\x22",
)
"""For libFuzzer's dictionary, escaped as it wants them."""


def armored(plain: bytes) -> bytes:
    """Write a message as `fuzz.open_keyring` opens it."""
    return b"-----BEGIN PGP MESSAGE-----\n" + plain + b"\n" + FILLER + b"\n-----END PGP MESSAGE-----\n"


def _signed(content: bytes) -> bytes:
    signature = entity("-----BEGIN PGP SIGNATURE-----\n\nx\n", type_="application/pgp-signature")
    type_ = 'multipart/signed; micalg=pgp-sha512; protocol="application/pgp-signature"'
    return multipart(type_, content, signature, boundary="=-signed")


def _protected() -> bytes:
    type_ = 'text/plain; charset=utf-8; hp="cipher"; hp-legacy-display="1"'
    fields = ("Subject: inner", "From: alice@user.example", "HP-Outer: Subject: [...]")
    return entity("Subject: inner\n\nsecret", *fields, type_=type_)


def _file(name: str, content: bytes, type_: str = "application/octet-stream") -> bytes:
    head = (
        f'Content-Type: {type_}; name="{name}"\r\nContent-Disposition: attachment; filename="{name}"\r\n\r\n'
    )
    return head.encode() + content


def _protected_letters() -> list[bytes]:
    """Return letters in OpenPGP, whole and in parts."""
    clear = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nsaid\n-----BEGIN PGP SIGNATURE-----\n\nx\n"
    clear += "-----END PGP SIGNATURE-----\n"
    inline = armored(b"secret").decode()
    old = 'multipart/mixed; protected-headers="v1"'
    return [
        encrypted(armored(entity("secret"))),
        encrypted(armored(_signed(_protected()))),
        encrypted(armored(encrypted(armored(_protected())))),
        encrypted(
            armored(
                multipart(
                    old,
                    entity("Subject: x", type_='text/rfc822-headers; protected-headers="v1"'),
                    entity("secret"),
                )
            )
        ),
        _signed(multipart("multipart/mixed", entity("said"), _file("a.txt", b"x"))),
        multipart("multipart/mixed", entity("open"), _signed(entity("said")), entity("more")),
        entity(f"before\n{inline}after"),
        entity(clear),
        entity(f"before\n{clear}after\n{inline}"),
        multipart(
            "multipart/mixed",
            entity(inline),
            _file("a.pdf.pgp", armored(b"%PDF-")),
            _file("b.png", b"x"),
            _file("b.png.sig", clear.encode()),
        ),
    ]


def letters() -> list[bytes]:
    """Return letters of all shapes, without their headers."""
    page = entity(PAGE, type_="text/html; charset=utf-8")
    mixed_up = (
        entity(""),
        entity("Version: 1", type_="application/pgp-encrypted"),
        entity(armored(entity("secret")).decode(), type_="application/octet-stream"),
    )
    status = entity(
        "Final-Recipient: rfc822; a@b\nAction: failed\nStatus: 5.1.1", type_="message/delivery-status"
    )
    return [
        entity(TEXT),
        entity(TEXT, type_="text/plain; charset=iso-8859-1; format=flowed; delsp=yes"),
        page,
        multipart("multipart/alternative", entity("plain"), page),
        *_protected_letters(),
        multipart("multipart/mixed", *mixed_up),
        winmail(HEAD + RTF_WORDS + FILE),
        multipart(
            "multipart/mixed",
            entity("come"),
            calendar_part(),
            _file("key.asc", KEY.encode(), "application/pgp-keys"),
        ),
        multipart(
            "multipart/report; report-type=delivery-status",
            entity("failed"),
            status,
            entity("Subject: x\n\ny", type_="message/rfc822"),
        ),
        _file("smime.p7m", b"\x30\x80", "application/pkcs7-mime; smime-type=enveloped-data"),
        entity(REPORT),
        encrypted(armored(entity(REPORT))),
        entity("Look:\n\nbegin 644 a.png\n$B5!.1P  \n`\nend\n"),
        b"Content-Type: message/rfc822\r\n\r\n" + headers("bob@user.example") + entity("inner"),
    ]


def calendar_part() -> bytes:
    """Return an invitation."""
    return b"Content-Type: text/calendar; method=REQUEST\r\n\r\n" + _calendar()


def _calendar() -> bytes:
    return calendar(
        "SUMMARY:Team\\, a",
        'DTSTART;TZID="W. Europe Standard Time":20261101T100000',
        "DURATION:PT1H",
        "ORGANIZER;CN=Ana:mailto:a@b.ex",
        "RRULE:FREQ=DAILY",
        "ATTENDEE;PARTSTAT=DECLINED:mailto:a@b",
    )


def seeds(target: str) -> list[bytes]:
    """Return what a target of `fuzz.targets` begins with."""
    more = (
        "Autocrypt: addr=alice@user.example; keydata=AAAA",
        "Auto-Submitted: auto-replied",
        "List-Id: <x>",
        "References: <a@b> <c@d>",
    )
    of_target = {
        "letter": [
            headers("Alice <alice@user.example>", "=?utf-8?q?hi?=", *more[: n % 5]) + each
            for n, each in enumerate(letters())
        ]
        + [mail.read_bytes() for mail in WHISPERBACK],
        "tnef": [HEAD + RTF_WORDS + FILE, HEAD + FILE * 2, HEAD + RTF_WORDS],
        "rtf": [RTF, PACKED],
        "html": [PAGE.encode()],
        "calendar": [_calendar()],
        "charsets": [
            f"{name}\n".encode() + "Größe, Привет, 日本語 и шум\n".encode(name, "replace")
            for name in ("utf-8", "iso-8859-1", "koi8-r", "iso-2022-jp", "utf-7", "utf-16", "euc-jp", "hz")
        ],
        "text": [TEXT.encode()],
        "redacting": [TEXT.encode(), REPORT.encode()],
        "report": [REPORT.encode(), TEXT.encode() + b"\n> " + REPORT.replace("\n", "\n> ").encode()],
        "pgp": [KEY.encode(), b"\x85\x01\x0c\x03" + bytes(9), b"\xc1\x20\x06" + bytes(40), b"Zm9v\n=abcd"],
    }
    return of_target[target]


def write_seeds(target: str, folder: Path) -> None:
    """Write a target's seeds as files."""
    for number, seed in enumerate(seeds(target)):
        (folder / f"seed-{number}").write_bytes(seed)
