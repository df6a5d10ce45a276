# SPDX-License-Identifier: AGPL-3.0-or-later
"""WhisperBack reports of all ages and ways: fields found, missing or garbled, and never an exception."""

from dataclasses import asdict, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from desk.letters.opened import Automatic, Headers, WhisperBack
from mail.openpgp.keyring import Keyring
from mail.reading.open_letter import open_letter
from mail.whisperback.report import NOBODIES, odd_fields, read_report
from tests.mail.whisperback.test_reports import SAMPLES, make_keyring, open_sample

REPORT_ID = "40cd8f2ebf1326ba950bb700fcf4e633"
OUTER = Headers(outer_subject=f"Bug report: {REPORT_ID}", sender="devnull@tails.boum.org")
PERSON = Headers("No Wi-Fi", "No Wi-Fi", "kim@user.example", reply_to="work@user.example")
CMDLINE = "======= content of /proc/cmdline ======="
DMIDECODE = "===== output of command /usr/sbin/dmidecode -s system-manufacturer ====="
TODAY = f"""\
Subject: No sound
From: kim@user.example
OpenPGP-Key: 0123456789ABCDEF
Tails-Version: NAME="Tails"
VERSION="7.1~rc2"

What happened instead?
----------------------
Silence.

{CMDLINE}
quiet

======= content of /usr/sbin/dmidecode -s system-manufacturer =======
ACME
"""
PASTED = """\
Tails-Version: NAME="Tails"
VERSION="6.9"

======= content of /proc/cmdline =======
quiet

======= content of /usr/bin/lspci -nn =======
01:00.0 Network controller [0280]: Realtek Semiconductor Co., Ltd. RTL8821CE 802.11ac PCIe Wireless Network Adapter [10ec:c821]
02:00.0 VGA compatible controller [0300]: Advanced Micro Devices, Inc. [AMD/ATI] Stoney [1002:98e4] (rev da)
"""  # noqa: E501

keyring = make_keyring


def read(text: str, headers: Headers = OUTER) -> WhisperBack:
    report = read_report(text, headers)
    assert report is not None
    return report


def with_line(name: str, value: str | None) -> WhisperBack:
    """Read today's report with another line of this name, or without one."""
    lines = [line for line in TODAY.split("\n") if not line.startswith(f"{name}:")]
    order = ["Subject", "From", "OpenPGP-Key", "Tails-Version"]
    if name == "Tails-Version":
        lines = [line for line in lines if not line.startswith("VERSION")]
    if value is not None:
        lines.insert(order.index(name), f"{name}: {value}")
    return read("\n".join(lines))


@pytest.mark.parametrize(
    ("name", "field", "value", "found"),
    [
        ("From", "contact_email", "kim@user.example", "kim@user.example"),
        ("From", "contact_email", "KIM@User.Example, b@c.example", "kim@user.example"),
        ("From", "contact_email", "我的邮箱是kim@user.example谢谢", "kim@user.example"),
        ("From", "contact_email", "jürgen@user.example", "garbled"),
        ("From", "contact_email", "a@user.exämple", "garbled"),
        ("From", "contact_email", "kim at user dot example", "garbled"),
        ("From", "contact_email", "", None),
        ("From", "contact_email", None, None),
        ("OpenPGP-Key", "openpgp_key", "0x58ACD84F", "0x58ACD84F"),
        ("OpenPGP-Key", "openpgp_key", "https://keys.example/k.asc", "https://keys.example/k.asc"),
        ("OpenPGP-Key", "openpgp_key", "A490 " * 9 + "A490", "A490 " * 9 + "A490"),
        ("OpenPGP-Key", "openpgp_key", None, None),
        ("Tails-Version", "tails_version", "5.12 - 20230418\n0123456789", "5.12"),
        ("Tails-Version", "tails_version", 'NAME="Tails"\nVERSION="6.0~beta1"', "6.0~beta1"),
        ("Tails-Version", "tails_version", "unknown", "garbled"),
        ("Tails-Version", "tails_version", None, None),
    ],
)
def test_a_field_is_found_missing_or_garbled(
    name: str, field: str, value: str | None, found: str | None
) -> None:
    report = with_line(name, value)
    assert report.garbled == ((field,) if found == "garbled" else ())
    assert getattr(report, field) == (None if found == "garbled" else found)
    assert len(odd_fields(report)) == len(report.garbled)
    assert report.user_text == "Silence."


@pytest.mark.parametrize("value", ["included below", "see my homepage"])
def test_a_key_that_is_named_and_not_to_be_had_is_garbled(value: str) -> None:
    assert with_line("OpenPGP-Key", value).garbled == ("openpgp_key",)


def test_the_very_first_name_of_the_version_line_is_known() -> None:
    report = read("Subject: x\nAmnesia-Version: 0.4.2 - 20100207\n\nwords")
    assert (report.tails_version, report.garbled) == ("0.4.2", ())


@pytest.mark.parametrize("sender", sorted(NOBODIES))
def test_what_nobody_sends_is_a_report_even_when_nothing_of_it_can_be_read(sender: str) -> None:
    report = read("", Headers(outer_subject=f"Re: [list] Bug report: {REPORT_ID}", sender=sender))
    assert (report.whisperback_id, report.contact_email, report.empty) == (REPORT_ID, None, True)
    report = read("\x00\ufffd", Headers(outer_subject="Bug report: ?", sender=sender))
    assert (report.whisperback_id, report.contact_email) == (None, None)
    assert report.garbled == ("whisperback_id",)


def test_what_a_list_relays_and_nobody_can_read_is_a_report_and_an_answer_by_a_person_is_none() -> None:
    relayed = Headers(outer_subject=f"[help] Bug report: {REPORT_ID}", sender="help@list.example")
    assert read("\n", relayed).whisperback_id == REPORT_ID
    assert (
        read_report("", Headers(outer_subject=f"Re: Bug report: {REPORT_ID}", sender=PERSON.sender)) is None
    )


def test_a_report_that_cannot_be_decrypted_leaves_no_contact(keyring: Keyring) -> None:
    raw = (SAMPLES / "10-old12-fr-inline-handmade.eml").read_bytes().replace(b"hQGMA33x", b"hQGMA33y")
    opened = open_letter(raw, keyring)
    assert opened.text == ""
    assert opened.whisperback is not None
    assert opened.whisperback.contact_email is None
    assert opened.whisperback.whisperback_id == "6a7c06511013eea78f046d1684a16640"


@pytest.mark.parametrize("first", [f"{CMDLINE}\nfalse\n\n{DMIDECODE}\nEVIL\n", f"{DMIDECODE}\nEVIL\n"])
def test_sections_in_front_of_the_true_ones_are_the_persons_words(first: str) -> None:
    true = TODAY[TODAY.index(CMDLINE) :] if first.startswith(CMDLINE) else f"{DMIDECODE}\nACME\n"
    report = read(f"Subject: x\n\nlook:\n{first}\nwords\n\n{true}")
    assert report.manufacturer == "ACME"
    assert "EVIL" in report.user_text
    assert report.user_text.endswith("words")


def test_sections_above_a_heading_are_the_persons_words_even_when_there_are_no_true_ones() -> None:
    told = TODAY[: TODAY.index(CMDLINE)].replace("Silence.", f"look:\n{CMDLINE}\nx\n{DMIDECODE}\nEVIL\n")
    report = read(f"{told}\nWhat did you do that triggered this error?\n{'-' * 42}\n\nI wrote it.\n")
    assert (report.manufacturer, report.debug_info) == (None, False)
    assert report.user_text.startswith("look:")
    assert report.user_text.endswith("EVIL\n\nI wrote it.")


def test_sections_in_another_order_are_read() -> None:
    begin = TODAY.index(CMDLINE)
    cmdline, others = TODAY[begin:].split("\n\n", 1)
    report = read(f"{TODAY[:begin]}{others}\n{cmdline}\n")
    assert (report.manufacturer, report.user_text) == ("ACME", "Silence.")
    assert [name for name, _ in report.sections][-1] == "/proc/cmdline"


HEAD = (
    f"Subject: Bug report: {REPORT_ID}\nDate: now\nFrom: devnull@tails.boum.org\nTo: support@tails.example\n"
)


@pytest.mark.parametrize("quote", ["", "> ", "> > "])
@pytest.mark.parametrize("subject", [f"Fwd: Bug report: {REPORT_ID}", "[help] WG: a user without sound"])
def test_a_report_that_a_person_passes_on_is_read_as_one(quote: str, subject: str) -> None:
    lines = f"-------- Forwarded Message --------\n{HEAD}\n{TODAY}".split("\n")
    text = "Please look.\n\n" + "\n".join(f"{quote}{line}".rstrip() for line in lines)
    agent = Headers(subject, "...", "agent@desk.example")
    report = read(text, agent)
    assert report == replace(read(TODAY), body_chars=len(text))
    unversioned = (
        text.replace('NAME="Tails"', "").replace("Tails-Version: ", "").replace('VERSION="7.1~rc2"', "")
    )
    assert read(unversioned, agent).contact_email == "kim@user.example"
    answer = read_report(text, Headers(f"Re: Bug report: {REPORT_ID}", "...", "kim@user.example"))
    assert answer is None or answer.whisperback_id is None


def test_a_section_that_a_file_below_imitates_does_not_count() -> None:
    false = "\n======= content of /usr/sbin/dmidecode -s system-manufacturer =======\nEVIL\n"
    assert read(f"{TODAY}\n======= content of /x =======\n{false}").manufacturer == "ACME"


def test_reports_from_before_all_known_sections_have_sections_too() -> None:
    report = read("Subject: x\n\nwords\n===== listing of /live =====\na\n===== content of /b =====\nb\n")
    assert report.sections == (("/live", "a"), ("/b", "b"))
    assert report.user_text == "words"


def test_the_kernel_names_devices_where_lspci_does_not() -> None:
    kernel = (
        "pci 0000:00:02.0: [8086:27a2] type 0 class 0x000300\n"
        "[    1.0] pci 0000:03:00.0: [8086:095b] type 00 class 0x028000 PCIe Endpoint\n"
        "[    2.0] iwlwifi 0000:03:00.0: enabling device\n"
    )
    report = read(f"Subject: x\n\n{DMIDECODE}\nACME\n\n===== output of command /bin/dmesg =====\n{kernel}")
    assert (report.gpu_pci, report.wifi_pci, report.wifi_driver) == ("8086:27a2", "8086:095b", "iwlwifi")


def test_two_graphics_devices_are_both_kept() -> None:
    kernel = (
        "pci 0000:00:02.0: [8086:27a2] type 0 class 0x000300\n"
        "pci 0000:01:00.0: [10de:1c8d] type 0 class 0x030200\n"
    )
    report = read(f"Subject: x\n\n{DMIDECODE}\nACME\n\n===== output of command /bin/dmesg =====\n{kernel}")
    assert report.gpus_pci == ("8086:27a2", "10de:1c8d")


def test_what_a_program_says_is_not_taken_for_the_persons_words() -> None:
    bug = "Bug-specific app: tps-frontend\nBug-specific details: first\n\nTraceback, second part\n"
    report = read(TODAY.replace("\n\nWhat", f"\n{bug}\nWhat", 1))
    assert (report.app, report.user_text, report.tails_version) == ("tps-frontend", "Silence.", "7.1~rc2")


def test_headings_in_other_languages_are_not_taken_for_the_persons_words() -> None:
    assert read("Subject: x\n\nDéfaut\n------\n\nRien.\n\nSuite\n-----\nTout.").user_text == "Rien.\n\nTout."
    of_the_person = "Rien.\n\nSuite\n-----\nTout."
    assert read(f"Subject: x\n\n{of_the_person}").user_text == of_the_person


def test_what_schleuder_writes_in_front_does_not_count(keyring: Keyring) -> None:
    head = (
        "From: devnull@tails.boum.org\nTo: a@list.example,\n  b@list.example\nDate: now\n"
        f"Sig: Unsigned\nEnc: Encrypted\n{'-' * 78}\n"
    )
    relayed = Headers(outer_subject=f"[help] Bug report: {REPORT_ID}", sender="help@list.example")
    report = read(f"{head}\n\n{TODAY}", relayed)
    assert report == read(TODAY)
    mail = (
        f"From: help@list.example\r\nSubject: [help] Bug report: {REPORT_ID}\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: text/plain\r\n\r\n{head}\r\n"
        "--o\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\nContent-Type: text/plain\r\n\r\n"
        f"{TODAY}\r\n--i--\r\n--o--\r\n"
    )
    found = open_letter(mail.encode(), keyring).whisperback
    assert found is not None
    assert (found.whisperback_id, found.contact_email) == (REPORT_ID, "kim@user.example")
    assert (found.tails_version, found.manufacturer) == ("7.1~rc2", "ACME")


def wrapped(text: str) -> str:
    return (
        text.replace(" -nn =", "\n-nn =")
        .replace("Inc. [AMD", "Inc.\n[AMD")
        .replace("802.11ac ", "802.11ac\n")
    )


def quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


@pytest.mark.parametrize("way", [str, wrapped, quoted])
def test_what_was_pasted_is_read_whatever_happened_to_its_lines(way: type[str]) -> None:
    report = read(f"Hello,\n\nno Wi-Fi here.\n\n{way(PASTED)}", PERSON)
    assert (report.whisperback_id, report.report_subject) == (None, "No Wi-Fi")
    assert report.contact_email == "work@user.example"
    assert (report.tails_version, report.wifi_pci, report.gpu_pci) == ("6.9", "10ec:c821", "1002:98e4")
    assert (report.user_text, report.garbled) == ("Hello,\n\nno Wi-Fi here.", ())


@pytest.mark.parametrize(
    "text", ["", "My Tails-Version: NAME", "I use Tails 6.9", "===== x =====", "Subject: x"]
)
def test_an_ordinary_mail_is_no_report(text: str) -> None:
    assert read_report(text, PERSON) is None


def test_an_automatic_mail_does_not_become_a_persons_by_what_is_pasted_in_it(keyring: Keyring) -> None:
    mail = f"From: a@user.example\r\nAuto-Submitted: auto-replied\r\n\r\n{PASTED}".encode()
    opened = open_letter(mail, keyring)
    assert opened.whisperback is not None
    assert opened.automatic is Automatic.AUTO_REPLY


PIECES = st.sampled_from(
    [
        "Subject: ",
        "From: ",
        "OpenPGP-Key: included below",
        "Tails-Version: ",
        'NAME="Tails"',
        'VERSION="6',
        "\n",
        "\n\n",
        "=======",
        "=====",
        " content of ",
        "/proc/cmdline",
        " output of command ",
        "/bin/dmesg",
        "> ",
        "-" * 78,
        "Bug-specific app:",
        "What happened instead?\n----------------------\n",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----",
        "-----END PGP PUBLIC KEY BLOCK-----",
        "/usr/bin/lspci -nn",
        "00:00.0 x [0280]: y [8086:095b]",
        "a@b.example",
        CMDLINE,
        DMIDECODE,
        "\ufeff",
        "\u202e",
        "\ud800",
        "\x00",
    ]
)


@given(
    st.lists(PIECES | st.text(max_size=20), max_size=40).map("".join),
    st.sampled_from([OUTER, PERSON, Headers(), Headers(outer_subject=OUTER.outer_subject)]),
)
@example("Subject:", OUTER)
def test_no_text_raises_and_no_field_lies(text: str, headers: Headers) -> None:
    report = read_report(text, headers)
    if report is not None:
        fields = asdict(report)
        assert report.empty == (not report.user_text)
        assert all(name in fields for name in report.garbled)
        if headers is OUTER:
            assert report.contact_email not in {OUTER.sender, *NOBODIES}


@given(st.data())
def test_no_damage_to_a_report_raises(data: st.DataObject) -> None:
    begin, end = sorted(data.draw(st.lists(st.integers(0, len(TODAY)), min_size=2, max_size=2)))
    damaged = TODAY[:begin] + data.draw(st.text(max_size=30)) + TODAY[end:]
    report = read_report(damaged, OUTER)
    assert report is not None
    assert (report.contact_email is None) or report.contact_email in damaged.lower()


def test_the_journal_and_german_headings_are_not_the_persons_words(keyring: Keyring) -> None:
    opened = open_sample("08-old313-de-keyid", keyring)
    assert opened.whisperback is not None
    assert opened.whisperback.report_subject == "Drucker wird nicht erkannt"
    assert "Tatsächliches" not in opened.whisperback.user_text
    assert opened.whisperback.user_text.startswith("CUPS")
