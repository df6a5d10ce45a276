# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading a WhisperBack report: the strict preamble, what the person wrote, and the debugging sections."""

import re
from dataclasses import dataclass

from desk.opened import WhisperBack
from mail.hardware import read_hardware

_REPORT_ID = re.compile(r"\bBug report: ([0-9a-f]{20,32})\b")
_CONTACT = re.compile(r"[A-Za-z0-9._%+'=-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_VERSION = re.compile(r'^VERSION="([0-9a-z.~-]+)"', re.MULTILINE)
_OLD_VERSION = re.compile(r"^Tails-Version:\s+([0-9.~-]*[0-9])", re.MULTILINE)
_SECTION = re.compile(
    r"^(?:=======|=====) (?:content of|output of command|listing of) (\S[^\n]*?) (?:=======|=====)[ \t]*$",
    re.MULTILINE,
)
_FIRST_SECTION = "======= content of /proc/cmdline =======\n"
_OS_RELEASE = "/lib/live/mount/rootfs/filesystem.squashfs/etc/os-release"
_KEY_BEGIN = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_KEY_END = "-----END PGP PUBLIC KEY BLOCK-----"
_HEADINGS = frozenset(
    {
        "What were you trying to achieve?",
        "What happened instead?",
        "What did you do that triggered this error?",
    }
)
_APP = "Bug-specific app:"


@dataclass(frozen=True)
class _Preamble:
    """The lines that the program writes before the person's words, and where these begin."""

    subject: str
    contact: str | None
    key: str | None
    version: str
    app: str | None
    rest: str


def read_report(text: str, subject_header: str) -> WhisperBack | None:
    """Read a report of today's format; None when the letter is none.

    `text` is the decrypted text with LF line ends, `subject_header` the outer subject,
    where the report's id stands.
    """
    found = _REPORT_ID.search(subject_header)
    if found is None or not text.startswith("Subject:"):
        return None
    told, sections = _split_sections(text)
    preamble = _read_preamble(told)
    words = user_words(preamble.rest)
    contact = _CONTACT.search(preamble.contact or "")
    hardware = read_hardware(dict(sections))
    return WhisperBack(
        whisperback_id=found[1],
        report_subject=preamble.subject,
        contact_email=contact[0].lower() if contact else None,
        contact_raw=preamble.contact,
        openpgp_key="block" if preamble.key == "included below" else preamble.key,
        tails_version=_read_version(preamble.version, sections),
        app=preamble.app,
        manufacturer=hardware.manufacturer,
        product=hardware.product,
        product_version=hardware.product_version,
        wifi_pci=hardware.wifi_pci,
        gpu_pci=hardware.gpu_pci,
        wifi_driver=hardware.wifi_driver,
        body_chars=len(text),
        debug_info=bool(sections),
        empty=not words,
        user_text=words,
        sections=sections,
    )


def told_words(text: str) -> str:
    """Return a report's text without its debugging sections, which hold nothing a person has written."""
    return _split_sections(text)[0]


def _split_sections(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Part what was told from the debugging sections.

    These begin at the LAST `/proc/cmdline` section: a person can paste whole false sections before it, while
    the lines of the journal after it begin with a date or a blank.
    """
    begin = text.rfind("\n" + _FIRST_SECTION)
    if begin < 0:
        return text, ()
    debugging = text[begin + 1 :]
    marks = list(_SECTION.finditer(debugging))
    ends = [mark.start() for mark in marks[1:]] + [len(debugging)]
    sections = (
        (mark[1], debugging[mark.end() : end].strip("\n")) for mark, end in zip(marks, ends, strict=True)
    )
    return text[:begin], tuple(sections)


def _read_preamble(told: str) -> _Preamble:
    """Read the first lines in their one order and stop: the person's text may hold lines that look alike."""
    lines = told.split("\n")
    at = 0
    fields: dict[str, str] = {}
    for name in ("Subject:", "From:", "OpenPGP-Key:"):
        if at < len(lines) and lines[at].startswith(name):
            fields[name] = lines[at].removeprefix(name).strip()
            at += 1
    end = next((line for line in range(at, len(lines)) if not lines[line].strip()), len(lines))
    program = lines[at:end]
    app = next((line.removeprefix(_APP).strip() for line in program if line.startswith(_APP)), None)
    begins = [index for index, line in enumerate(program) if line.startswith("Bug-specific ")]
    version = program[: begins[0]] if begins else program
    return _Preamble(
        subject=fields.get("Subject:", ""),
        contact=fields.get("From:"),
        key=fields.get("OpenPGP-Key:"),
        version="\n".join(version) if version and version[0].startswith("Tails-Version:") else "",
        app=app,
        rest="\n".join(lines[end:]),
    )


def _read_version(header: str, sections: tuple[tuple[str, str], ...]) -> str | None:
    """Return the running version, else the one first installed, else None."""
    found = _VERSION.search(header) or _OLD_VERSION.search(header)
    installed = dict(sections).get(_OS_RELEASE, "")
    found = found or _VERSION.search(installed)
    return found[1] if found else None


def user_words(rest: str) -> str:
    """Return the answers alone: without the program's headings, their underlines, and the offered key."""
    begin = rest.rfind("\n" + _KEY_BEGIN)
    if begin >= 0 and _KEY_END in rest[begin:]:
        end = rest.find(_KEY_END, begin) + len(_KEY_END)
        rest = rest[:begin] + rest[end:]
    answers: list[str] = []
    lines = iter(rest.split("\n"))
    for line in lines:
        if line.strip() in _HEADINGS:
            underline = next(lines, "")
            answers += [] if set(underline.strip()) <= {"-"} else [underline]
        else:
            answers.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(answers)).strip()
