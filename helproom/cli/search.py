# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom search`: finds tickets as `!search` does, for whoever runs the desk."""

import argparse
import asyncio
import json
import os
import re
from collections.abc import Sequence

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from desk.context import Workplace
from desk.search.feeding import Feeder
from desk.search.parsing import Asked, parse
from helproom import logs
from helproom.cli.terminal import say
from helproom.config import for_desk
from helproom.config.settings import find_config, read_settings
from helproom.startup.masterkey import refuse_other_master_key
from storage.migrating import migrate
from storage.sealing.vault import address_tag
from storage.search.index import Hit
from storage.search.snippets import MARK, UNMARK
from storage.search.tree import Search

_MARKS = re.compile(f"[{MARK}{UNMARK}]")
_NOBODY = ""


def search(asked: argparse.Namespace) -> int:
    """Show the newest tickets that are found. Raises Refusal."""
    settings = read_settings(find_config(asked.config))
    logs.set_up(settings.log.model_copy(update={"level": "error"}))
    os.umask(0o077)
    place = for_desk.open_place(settings)
    found = asyncio.run(_found(place, " ".join(asked.words), asked.most))
    if asked.json:
        for hit in found:
            say(json.dumps(_as_json(hit), ensure_ascii=False))
    else:
        Console(highlight=False, markup=False, emoji=False).print(_table(found))
    return os.EX_OK


async def _found(place: Workplace, words: str, most: int) -> Sequence[Hit]:
    try:
        wanted = _parse(place, words)
        await migrate(place.units.engine)
        await refuse_other_master_key(place.units)
        await _read_all(place)
        return (await place.units.search.find(wanted, size=most)).hits
    finally:
        await place.units.close()


def _parse(place: Workplace, words: str) -> Search:
    vault = place.units.vault
    asked = Asked(_NOBODY, place.world.now(), place.config, lambda address: address_tag(vault, address))
    return parse(words, asked)


async def _read_all(place: Workplace) -> None:
    """Read all tickets into the memory of this process; nothing is written anywhere."""
    feeder = Feeder(place)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("Reading tickets", total=1.0)
        while await feeder.step():
            progress.update(bar, completed=place.units.search.searched_share)


def _as_json(hit: Hit) -> dict[str, object]:
    return {
        "ticket": hit.ticket,
        "queue": hit.queue,
        "language": hit.language,
        "version": hit.version,
        "state": hit.state,
        "opened_at": hit.opened_at.isoformat(),
        "issues": hit.issues,
        "snippet": _MARKS.sub("", hit.snippet),
    }


def _table(found: Sequence[Hit]) -> Table | Text:
    if not found:
        return Text("Nothing was found.")
    table = Table("Ticket", "Queue", "Language", "Version", "State", "Opened", "Words", box=None)
    for hit in found:
        issues = "".join(f" #{issue}" for issue in hit.issues)
        words = Text(" ".join(_MARKS.sub("", hit.snippet).split()))
        opened = f"{hit.opened_at:%Y-%m-%d}"
        table.add_row(f"{hit.ticket}{issues}", hit.queue, hit.language, hit.version, hit.state, opened, words)
    return table
