# SPDX-License-Identifier: AGPL-3.0-or-later
"""The kinds of values in the config, each with a sentence for what it has to look like."""

import datetime as dt
import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, ValidationInfo

from desk.languages import is_language
from helproom.config.credentials import Secret

FOLDER = "folder"
"""Key of the validation context: the folder of the config file, to which relative paths are relative."""

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DURATION = re.compile(r"(\d{1,6})\s*(s|min|h|d)")
_DURATION_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
_SIZE = re.compile(r"(\d{1,6})\s*(KB|MB)")
_SIZE_UNITS = {"KB": 1_000, "MB": 1_000_000}
_ADDRESS = re.compile(r"[a-zA-Z0-9._-]+@[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)*")
_SERVER = r"[a-zA-Z0-9.-]+|\[[0-9a-fA-F:.]+\]"
_USER_ID = re.compile(rf"@[a-z0-9._=/+-]+:({_SERVER})(:\d+)?")
_ROOM_ID = re.compile(r"!\S+")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LANGUAGE = re.compile(r"[a-z]{2}")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_FINGERPRINT = re.compile(r"[0-9A-F]{40}")


def _matching(pattern: re.Pattern[str], sentence: str) -> BeforeValidator:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(sentence)
        return value

    return BeforeValidator(check)


def read_duration(value: Any) -> dt.timedelta:
    """Read "90s", "5min", "24h" or "3d"; raises ValueError."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("A length of time is a number with its unit, such as 60s, 5min, 24h or 3d.")
    return dt.timedelta(**{_DURATION_UNITS[found[2]]: int(found[1])})


def _read_size(value: Any) -> int:
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("A size is a number with its unit, such as 500KB or 25MB.")
    return int(found[1]) * _SIZE_UNITS[found[2]]


def _read_path(value: Any, info: ValidationInfo) -> Path:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("The path of a file or folder is expected.")
    return Path(info.context[FOLDER], Path(value).expanduser()) if info.context else Path(value)


def _read_secret(value: Any, info: ValidationInfo) -> Secret:
    if isinstance(value, str) and value.startswith("credential:"):
        name = value.removeprefix("credential:").strip()
        if not name or "/" in name:
            raise ValueError("After credential: stands the name of a systemd credential, without slashes.")
        return Secret(Path(name), is_credential=True)
    return Secret(_read_path(value, info))


def _read_clock(value: Any) -> dt.time:
    if value == "24:00":
        return dt.time(0)
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        raise ValueError("A time of day has hours and minutes, such as 09:00.")
    return dt.time.fromisoformat(value)


def _read_days(value: Any) -> frozenset[int]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items:
        raise ValueError("Days are written as mon-fri, or as a list such as [mon, wed, fri].")
    days: set[int] = set()
    for item in items:
        first, _, last = str(item).lower().partition("-")
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
            raise ValueError(f"Days are {', '.join(WEEKDAYS)}, or a span such as mon-fri.")
        start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        days.update(day % 7 for day in range(start, end + (7 if end < start else 0) + 1))
    return frozenset(days)


def _read_zone(value: Any) -> str:
    try:
        return ZoneInfo(value).key
    except Exception:  # noqa: BLE001 - ZoneInfo raises many kinds for what is no name of a zone
        raise ValueError("A time zone has an IANA name, such as Europe/Paris.") from None


def _read_fingerprint(value: Any) -> str:
    compact = value.replace(" ", "").upper() if isinstance(value, str) else ""
    if not _FINGERPRINT.fullmatch(compact):
        raise ValueError("A fingerprint has 40 hexadecimal digits; `gpg --show-keys FILE` shows it.")
    return compact


def _read_language(value: Any) -> str:
    if not isinstance(value, str) or not _LANGUAGE.fullmatch(value):
        raise ValueError("A language is written with two letters, such as en (ISO 639-1).")
    if not is_language(value):
        raise ValueError(f"“{value}” is the code of no language (ISO 639-1): en is English, de German.")
    return value


def read_port(value: str) -> int | None:
    """Return the number of a TCP port; None when it is none."""
    is_port = value.isascii() and value.isdecimal() and 0 < int(value[:6]) <= 65535  # noqa: PLR2004 - the largest
    return int(value) if is_port else None


def _has_odd_port(host: str) -> bool:
    _, colon, port = host.rpartition("@")[2].rpartition(":")
    return bool(colon) and not host.endswith("]") and read_port(port) is None


def _read_url(value: Any) -> str:
    parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("A web address is expected, such as https://matrix.example.org.")
    if parts.username or parts.password:
        raise ValueError("No user name or password may stand in a web address.")
    if _has_odd_port(parts.netloc):
        raise ValueError("After the colon in a web address stands a port, a number from 1 to 65535.")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("Only a server on this machine may be reached without TLS: write https://.")
    return str(value).rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether the name or address can only mean this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True)
class Listen:
    """Where to listen: a Unix socket, or an address of loopback with a port."""

    path: Path | None = None
    host: str = ""
    port: int = 0


def _read_listen(value: Any) -> Listen:
    sentence = "Say 127.0.0.1:2525 or another port on this machine, or the path of a socket from the root on."
    if not isinstance(value, str):
        raise ValueError(sentence)  # noqa: TRY004 - pydantic wants ValueError
    if value.startswith("/"):
        return Listen(path=Path(value))
    host, _, port = value.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    number = read_port(port)
    if not host or number is None:
        raise ValueError(sentence)
    if not is_loopback(host):
        raise ValueError("LMTP knows no passwords: it is for this machine only, at 127.0.0.1 or a socket.")
    return Listen(host=host, port=number)


Duration = Annotated[dt.timedelta, BeforeValidator(read_duration)]
Size = Annotated[int, BeforeValidator(_read_size)]
PathOf = Annotated[Path, BeforeValidator(_read_path)]
SecretFile = Annotated[Secret, BeforeValidator(_read_secret)]
Clock = Annotated[dt.time, BeforeValidator(_read_clock)]
Days = Annotated[frozenset[int], BeforeValidator(_read_days)]
Zone = Annotated[str, BeforeValidator(_read_zone)]
Fingerprint = Annotated[str, BeforeValidator(_read_fingerprint)]
WebAddress = Annotated[str, BeforeValidator(_read_url)]
ListenAt = Annotated[Listen, BeforeValidator(_read_listen)]
UserId = Annotated[str, _matching(_USER_ID, "A Matrix user id is expected, such as @ana:example.org.")]
RoomId = Annotated[str, _matching(_ROOM_ID, "A room id begins with an exclamation mark, in quotes.")]
Address = Annotated[
    str, _matching(_ADDRESS, "A mail address without plus sign is expected, such as help@example.org.")
]
Name = Annotated[
    str, _matching(_NAME, "A name has small letters, digits, - and _ only, and at most 64 of them.")
]
Language = Annotated[str, BeforeValidator(_read_language)]
