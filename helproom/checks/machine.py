# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checks on this machine: the folders of the code, the data folder, the place for LMTP."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from helproom.checks.findings import Finding, ok, problem, warning
from helproom.checks.folders import trouble_with
from helproom.config.settings import Settings
from helproom.config.values import Listen

FOLDERS = ("bot", "commands", "desk", "helproom", "mail", "storage", "trackers")
_LITTLE_SPACE = 500_000_000
_GREETING_SECONDS = 3.0


async def check_code(_settings: Settings) -> AsyncIterator[Finding]:
    """The folders of the code must lie side by side, lest another package's `mail` is imported."""
    part = "code"
    places = {name: _place_of(name) for name in FOLDERS}
    home = places["helproom"]
    strangers = [name for name, place in places.items() if place is None or place != home]
    if strangers:
        yield problem(
            part,
            f"These folders do not lie beside helproom/: {', '.join(strangers)}. "
            "Install Helproom into a virtual environment of its own.",
        )
    else:
        yield ok(part, "The folders of the code lie side by side.")


def _place_of(name: str) -> Path | None:
    spec = find_spec(name)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]).resolve().parent if places else None


async def check_data_dir(settings: Settings) -> AsyncIterator[Finding]:
    """The data folder must be ours alone and have room."""
    part, folder = "data folder", settings.data_dir
    if trouble := trouble_with(folder):
        yield problem(part, trouble)
    elif shutil.disk_usage(folder).free < _LITTLE_SPACE:
        yield warning(part, f"Less than 500 MB are free where {folder} lies: make room.")
    else:
        yield ok(part, f"{folder} is there, private and writable.")


async def check_lmtp(settings: Settings) -> AsyncIterator[Finding]:
    """The place where letters come in must be free, or ours already."""
    part = "letters in"
    lmtp = settings.mail.lmtp
    if lmtp is None:
        yield ok(part, "There is no LMTP server; letters come by `helproom deliver`.")
        return
    where = lmtp.listen
    greeting = await _greeting(where)
    if greeting is not None and b"LMTP" in greeting:
        yield ok(part, f"An LMTP server answers at {_shown(where)}: Helproom is running.")
    elif greeting is not None:
        yield problem(part, f"Another program listens at {_shown(where)}: choose another mail.lmtp.listen.")
    elif hindrance := _hindrance(where):
        yield problem(part, f"Helproom cannot listen at {_shown(where)}: {hindrance}.")
    else:
        yield ok(part, f"{_shown(where)} is free for the LMTP server.")


def _shown(where: Listen) -> str:
    return str(where.path) if where.path else f"{where.host}:{where.port}"


async def _greeting(where: Listen) -> bytes | None:
    """The first line of whoever listens there; None when nobody does."""
    try:
        if where.path:
            reader, writer = await asyncio.open_unix_connection(where.path)
        else:
            reader, writer = await asyncio.open_connection(where.host, where.port)
    except OSError:
        return None
    try:
        return await asyncio.wait_for(reader.readline(), _GREETING_SECONDS)
    except (TimeoutError, OSError, ValueError):
        return b""
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _hindrance(where: Listen) -> str | None:
    if where.path:
        folder = where.path.parent
        return None if os.access(folder, os.W_OK | os.X_OK) else f"it may not write to {folder}"
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((where.host, where.port))
        except OSError as error:
            return str(error.strerror)
    return None
