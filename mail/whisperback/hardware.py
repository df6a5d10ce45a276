# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hardware facts from the debugging sections of a WhisperBack report."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mail.text.headers import safe_text_line

_SLOT = re.compile(r"(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7] ")
_PCI = re.compile(
    r"^(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7] [^\[\n]{1,200}\[([0-9a-f]{4})\]: [^\n]{0,400}?"
    r"\[([0-9a-f]{4}:[0-9a-f]{4})\](?: \(rev [0-9a-f]{2}\))?(?: \(prog-if [^)\n]{0,200}\))?$",
    re.MULTILINE,
)
# The kernel's own words, for the releases before 2018 whose lspci named no ids.
_KERNEL_PCI = re.compile(
    r"\bpci [0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]: \[([0-9a-f]{4}:[0-9a-f]{4})\]"
    r" type [0-9a-f]{1,2} class (?:0x00([0-9a-f]{4})|0x([0-9a-f]{4})[0-9a-f]{2})(?![0-9a-f])"
)
_DRIVER = re.compile(r"(?:iwlwifi|ath\d\w*|rtw\w+|rtl\w+|mt7[69]\w*|brcmfmac|brcmsmac|wl|b43)")
_KERNEL_LINE = re.compile(r"(?: kernel:|\]) (\w+) [0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\b")
_KERNEL_LOGS = ("journalctl", "dmesg", "syslog", "kern.log", "messages")


@dataclass(frozen=True)
class Hardware:
    """PCI ids are "vendor:device" in lower-case hexadecimal; None where the report does not tell."""

    manufacturer: str | None
    product: str | None
    product_version: str | None
    wifi_pci: str | None
    gpu_pci: str | None
    gpus_pci: tuple[str, ...]
    wifi_driver: str | None


def read_hardware(sections: Mapping[str, str]) -> Hardware:
    """Read the facts from sections given as key and content."""
    # Programs have moved between /bin, /usr/bin and /sbin over the years.
    named = {_base_name(key): content for key, content in sections.items()}
    logs = [content for key, content in named.items() if key.partition(" ")[0] in _KERNEL_LOGS]
    devices = [*_listed(named.get("lspci -nn", "")), *(pair for log in logs for pair in _heard(log))]
    gpus = tuple(dict.fromkeys(ids for class_, ids in devices if class_.startswith("03")))
    return Hardware(
        manufacturer=_first_line(named.get("dmidecode -s system-manufacturer", "")),
        product=_first_line(named.get("dmidecode -s system-product-name", "")),
        product_version=_first_line(named.get("dmidecode -s system-version", "")),
        wifi_pci=next((ids for class_, ids in devices if class_ == "0280"), None),
        gpu_pci=next(iter(gpus), None),
        gpus_pci=gpus,
        wifi_driver=_read_driver(named.get("lsmod", ""), logs),
    )


def _base_name(key: str) -> str:
    program, blank, arguments = key.partition(" ")
    return program.rpartition("/")[2] + blank + arguments


def _listed(lspci: str) -> Iterator[tuple[str, str]]:
    """Yield class and ids as lspci names them; lines that a mail program has wrapped are joined."""
    lines: list[str] = []
    for line in lspci.split("\n"):
        if lines and line and not _SLOT.match(line):
            lines[-1] = f"{lines[-1]} {line.strip()}"[:1_000]
        else:
            lines.append(line.rstrip())
    yield from _PCI.findall("\n".join(lines))


def _heard(log: str) -> Iterator[tuple[str, str]]:
    """Yield class and ids as the kernel says them; before Linux 3 it left the class's last byte out."""
    for ids, short, long in _KERNEL_PCI.findall(log):
        yield short or long, ids


def _first_line(content: str) -> str | None:
    line = safe_text_line(content.strip().partition("\n")[0])
    return None if line in {"", "Not found"} else line[:200]


def _read_driver(lsmod: str, logs: list[str]) -> str | None:
    """The loaded module that also speaks in the kernel's log of a PCI device; else the first one loaded."""
    modules = [line.split(" ", 1)[0] for line in lsmod.split("\n")]
    loaded = [module for module in modules if _DRIVER.fullmatch(module)]
    speaking = (name for log in logs for name in _KERNEL_LINE.findall(log))
    return next((name for name in speaking if _DRIVER.fullmatch(name)), next(iter(loaded), None))
