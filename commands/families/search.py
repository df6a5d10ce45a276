# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!search`: finds tickets by their words and by what is known of them."""

import structlog

from commands.context import Context
from commands.grammar.declare import Commands
from commands.grammar.words import Rest
from desk.search.pages import Place, show
from desk.search.parsing import Asked, parse
from storage.sealing.vault import address_tag
from storage.search.tree import FactName, asks_for

log = structlog.get_logger()

family = Commands()


@family.command("search", aliases=("find",))
async def search(context: Context, words: Rest) -> None:
    """Find tickets by words, "phrases", the begin of words (wif*), and keys such as tag:boot.

    - before one excludes it, and OR takes either. Case and accents do not matter. The keys are queue, lang,
    version, tag, is, has, from, problem, contact, before, after and sort.

    !search wifi "black screen" version:7 -tag:spam
    !search wif* OR wlan is:left lang:fr after:30d
    !search contact:kim@example.net sort:new
    """
    work = context.work
    asked = Asked(
        context.agent, work.world.now(), work.config, lambda address: address_tag(work.unit.vault, address)
    )
    where = Place(context.room, context.thread, context.event.original_id)
    wanted = parse(words, asked)
    if asks_for(wanted.node, FactName.CONTACT):
        # The event is in the room, where one can read who has asked, and for whom.
        log.info("search.contact", room=context.room.id, event_id=context.event.event_id)
    await show(work, wanted, where)
