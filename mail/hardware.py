# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hardware facts from the debugging sections of a WhisperBack report."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_PCI = re.compile(
    r"^(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7] [^\[\n]{1,200}\[([0-9a-f]{4})\]: [^\n]{0,400}?"
    r"\[([0-9a-f]{4}:[0-9a-f]{4})\](?: \(rev [0-9a-f]{2}\))?(?: \(prog-if [^)\n]*\))?$",
    re.MULTILINE,
)
_DRIVER = re.compile(r"(?:iwlwifi|ath\d\w*|rtw\w+|rtl\w+|mt7[69]\w*|brcmfmac|brcmsmac|wl|b43)")
_KERNEL_LINE = re.compile(r" kernel: (\w+) [0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\b")
_LSMOD = "/bin/lsmod"
_LSPCI = "/usr/bin/lspci -nn"
_JOURNAL = "/bin/journalctl --catalog --no-pager"
_DMI = "/usr/sbin/dmidecode -s system-"


@dataclass(frozen=True)
class Hardware:
    """PCI ids are "vendor:device" in lower-case hexadecimal; None where the report does not tell."""

    manufacturer: str | None
    product: str | None
    product_version: str | None
    wifi_pci: str | None
    gpu_pci: str | None
    wifi_driver: str | None


def read_hardware(sections: Mapping[str, str]) -> Hardware:
    """Read the facts from sections given as key and content."""
    devices = _PCI.findall(sections.get(_LSPCI, ""))
    return Hardware(
        manufacturer=_first_line(sections.get(_DMI + "manufacturer", "")),
        product=_first_line(sections.get(_DMI + "product-name", "")),
        product_version=_first_line(sections.get(_DMI + "version", "")),
        wifi_pci=next((ids for class_, ids in devices if class_ == "0280"), None),
        gpu_pci=next((ids for class_, ids in devices if class_.startswith("03")), None),
        wifi_driver=_read_driver(sections),
    )


def _first_line(content: str) -> str | None:
    line = content.strip().partition("\n")[0].strip()
    return None if line in {"", "Not found"} else line[:200]


def _read_driver(sections: Mapping[str, str]) -> str | None:
    """The loaded module that also speaks in the kernel's log of a PCI device; else the first one loaded."""
    modules = [line.split(" ", 1)[0] for line in sections.get(_LSMOD, "").split("\n")]
    loaded = [module for module in modules if _DRIVER.fullmatch(module)]
    speaking = _KERNEL_LINE.findall(sections.get(_JOURNAL, ""))
    return next((name for name in speaking if _DRIVER.fullmatch(name)), next(iter(loaded), None))
