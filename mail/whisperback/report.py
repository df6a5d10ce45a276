# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading a WhisperBack report of any age: the preamble, what the person wrote, the debugging sections."""

import re
from dataclasses import dataclass, replace

from desk.letters.opened import Headers, WhisperBack
from mail.limits import HEADER_VALUE
from mail.text.headers import safe_text_line
from mail.whisperback.hardware import Hardware, read_hardware
from mail.whisperback.text import Sections, split_passed_on, split_pasted, split_sections, without_relay_head
from mail.whisperback.user_words import answers, user_words

NOBODIES = frozenset({"devnull@tails.boum.org", "devnull@amnesia.boum.org"})
"""What WhisperBack writes into From, whoever sends the report."""

_REPORT_ID = re.compile(r"\bBug report: ([0-9a-f]{20,32})\b")
_LIST_TAGS = re.compile(r"(?:\[[^\]]{0,100}\] ?)*")
_LETTER = "A-Za-z0-9\u00c0-\u052f"
"""Of alphabets in which an address that runs on is another address; other scripts set no blanks."""
_CONTACT = re.compile(
    rf"(?<![{_LETTER}._%+'=-])[A-Za-z0-9._%+'=-]{{1,64}}@"
    rf"[A-Za-z0-9-]{{1,63}}(?:\.[A-Za-z0-9-]{{1,63}}){{1,8}}(?!\.?[{_LETTER}-])"
)
_VERSION = re.compile(r'^VERSION=["\u201c\u201d]?([0-9][0-9a-z.~-]*)', re.MULTILINE)
_OLD_VERSION = re.compile(r"\A(?:Tails|Amnesia)-Version:[ \t]+([0-9][0-9a-z.~-]*)")
_OS_RELEASE = "/lib/live/mount/rootfs/filesystem.squashfs/etc/os-release"
_KEY_NAME = re.compile(r"(?:0x)?[0-9A-Fa-f]{8}(?:[0-9A-Fa-f]{8})?|[0-9A-Fa-f]{4}(?: {0,2}[0-9A-Fa-f]{4}){9}")
_KEY_URL = re.compile(r"(?:https?|ftp)://\S{1,500}")
_KEY_BLOCK = "included below"
_ODD = {
    "whisperback_id": "The report came from WhisperBack, but the id in its subject cannot be read.",
    "contact_email": "The report names a contact, but no mail address can be read from it.",
    "openpgp_key": "The report names an OpenPGP key, but not in a form in which it can be found.",
    "tails_version": "The report's version line cannot be read.",
}


@dataclass(frozen=True)
class _Preamble:
    """The lines that the program writes before the person's words, and these."""

    subject: str
    contact: str | None
    key: str | None
    version: str
    app: str | None
    rest: str


def read_report(text: str, headers: Headers) -> WhisperBack | None:
    """Read a report, or the debugging information pasted into an ordinary mail; None when there is neither.

    `text` is the decrypted text with LF line ends. The id stands in the outer subject. A pasted report has
    none: its subject and contact are those of the mail. What cannot be read is named in `garbled`.
    """
    whole = without_relay_head(text)
    above, text = split_passed_on(whole, headers.subject) or ("", whole)
    found = _REPORT_ID.search(headers.outer_subject)
    if above and not found:
        found = _REPORT_ID.search(f"{headers.subject}\n{above}")
    is_nobody = headers.sender in NOBODIES
    is_unread = not text.strip() and found and _LIST_TAGS.fullmatch(headers.outer_subject, 0, found.start())
    if is_nobody or is_unread or (found and text.startswith("Subject:")):
        report = _read_written(text, found[1] if found else None)
    else:
        pasted = _read_pasted(text)
        if pasted is None:
            return None
        contact = headers.reply_to or headers.sender or None
        report = replace(pasted, report_subject=headers.subject, contact_email=contact)
    return replace(report, body_chars=len(whole))


def told_words(text: str) -> str:
    """Return a report's text without its debugging sections, which hold nothing a person has written."""
    return split_sections(text)[0]


def odd_fields(report: WhisperBack) -> tuple[str, ...]:
    """Return a sentence for the agent about each field that is there and could not be read."""
    return tuple(_ODD[name] for name in report.garbled)


def _read_written(text: str, report_id: str | None) -> WhisperBack:
    """Read what the program wrote."""
    told, sections = split_sections(text)
    preamble = _read_preamble(told)
    words = user_words(preamble.rest, has_app=preamble.app is not None)
    contact = _CONTACT.search(preamble.contact or "")
    version = _version(preamble.version, sections)
    report = WhisperBack(
        whisperback_id=report_id,
        report_subject=preamble.subject,
        contact_email=contact[0].lower() if contact else None,
        contact_raw=preamble.contact,
        openpgp_key="block" if preamble.key == _KEY_BLOCK else preamble.key or None,
        tails_version=version,
        app=preamble.app,
    )
    garbled = {
        "whisperback_id": report_id is None,
        "contact_email": bool(preamble.contact) and contact is None,
        "openpgp_key": bool(preamble.key) and not _names_key(preamble.key or "", told),
        "tails_version": bool(preamble.version) and _version(preamble.version, ()) is None,
    }
    return replace(
        _with_facts(report, words, sections),
        garbled=tuple(name for name, is_odd in garbled.items() if is_odd),
    )


def _read_pasted(text: str) -> WhisperBack | None:
    """Read what people without network paste from the program's "Technical details"."""
    parts = split_pasted(text)
    if parts is None:
        return None
    words, pasted = parts
    version, sections = split_sections(pasted)
    report = WhisperBack(tails_version=_version(version, sections))
    return _with_facts(report, answers(words), sections)


def _with_facts(report: WhisperBack, words: str, sections: Sections) -> WhisperBack:
    # Of two sections of one name the first is true: the files below may hold lines that look like headings.
    hardware: Hardware = read_hardware(dict(reversed(sections)))
    return replace(
        report,
        manufacturer=hardware.manufacturer,
        product=hardware.product,
        product_version=hardware.product_version,
        wifi_pci=hardware.wifi_pci,
        gpu_pci=hardware.gpu_pci,
        gpus_pci=hardware.gpus_pci,
        wifi_driver=hardware.wifi_driver,
        debug_info=bool(sections),
        empty=not words,
        user_text=words,
        sections=sections,
    )


def _read_preamble(told: str) -> _Preamble:
    """Read the first lines in their one order and stop: the person's text may hold lines that look alike."""
    lines = told.split("\n")
    at = 0
    fields: dict[str, str] = {}
    for name in ("Subject:", "From:", "OpenPGP-Key:"):
        if at < len(lines) and lines[at].startswith(name):
            fields[name] = _shown(lines[at].removeprefix(name))
            at += 1
    end = next((line for line in range(at, len(lines)) if not lines[line].strip()), len(lines))
    program = lines[at:end]
    bug = next(
        (index for index, line in enumerate(program) if line.startswith("Bug-specific ")), len(program)
    )
    version = "\n".join(program[:bug])
    has_version = version.startswith(("Tails-Version:", "Amnesia-Version:"))
    has_bug = bug < len(program)
    # Without either, these lines are no program's.
    rest = lines[end:] if has_version or has_bug else lines[at:]
    return _Preamble(
        subject=fields.get("Subject:", ""),
        contact=fields.get("From:"),
        key=fields.get("OpenPGP-Key:"),
        version=version if has_version else "",
        app=_app(program[bug:]),
        rest="\n".join(rest),
    )


def _app(lines: list[str]) -> str | None:
    name = "Bug-specific app:"
    found = next((line.removeprefix(name) for line in lines if line.startswith(name)), None)
    return None if found is None else _shown(found)


def _shown(value: str) -> str:
    """Make a line harmless; its blanks stay, as fingerprints are written with two in the middle."""
    return " ".join(safe_text_line(word) for word in value.strip()[:HEADER_VALUE].split(" "))


def _names_key(key: str, told: str) -> bool:
    """Tell whether a key can be looked for by what the line says."""
    if key == _KEY_BLOCK:
        begin = told.rfind("-----BEGIN PGP PUBLIC KEY BLOCK-----")
        return 0 <= begin < told.rfind("-----END PGP PUBLIC KEY BLOCK-----")
    return bool(_KEY_NAME.fullmatch(key) or _KEY_URL.fullmatch(key))


def _version(header: str, sections: Sections) -> str | None:
    """Return the running version, else the one first installed, else None."""
    installed = next((content for key, content in sections if key == _OS_RELEASE), "")
    found = _VERSION.search(header) or _OLD_VERSION.search(header) or _VERSION.search(installed)
    return found[1].rstrip(".~-") or None if found else None
