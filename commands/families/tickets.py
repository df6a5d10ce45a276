# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!list`, `!left`, `!show`, `!claim` and what else is done with a ticket."""

from collections.abc import Sequence

from commands.context import Context, Reply
from commands.grammar.declare import Commands
from commands.grammar.words import Agent, LanguageCode, Rest, Words, brief
from desk.outbox.posts import File, ago
from desk.rooms.names import link_to
from desk.tickets import actions, reading
from desk.world import Refusal
from storage.models import Ticket, TicketState

family = Commands()

ALL = "all"


@family.command("list", aliases=("ls",))
async def list_open(context: Context, queue: str = "") -> Reply:
    """List the open tickets of this room, of another queue, or of all.

    !list
    !list all
    """
    wanted = _queue(context, queue)
    found = await context.unit.tickets.open_in(wanted)
    return _listed(context, found, "Open", "Nothing is open.")


@family.command("left", aliases=("waiting",))
async def left(context: Context, queue: str = "") -> Reply:
    """List the tickets in which the user had the last word, longest waiting first.

    !left
    !left all
    """
    wanted = _queue(context, queue)
    found = await context.unit.tickets.left_in(wanted)
    return _listed(context, found, "Left to answer", "Nothing is left: every user has an answer.")


def _queue(context: Context, name: str) -> str | None:
    if name.casefold() == ALL:
        return None
    if name:
        return context.work.config.queue(name.casefold()).name
    return context.room.queue


def _listed(context: Context, found: Sequence[Ticket], title: str, nothing: str) -> Reply:
    if not found:
        return Reply(nothing)
    lines = [_line(context, ticket) for ticket in found]
    shown = "\n".join((f"{title}: {len(found)}", *lines[:_LONGEST_LIST]))
    more = len(lines) - _LONGEST_LIST
    if more <= 0:
        return Reply(shown)
    return Reply(f"{shown}\n… and {more} more in the file below.", file=File("list.txt", "\n".join(lines)))


_LONGEST_LIST = 50


def _line(context: Context, ticket: Ticket) -> str:
    who = f" by {ticket.owner}" if ticket.owner and ticket.state is TicketState.CLAIMED else ""
    whose = f", with {ticket.owner}" if ticket.owner and not who else ""
    about = ", ".join(tag.name for tag in ticket.tags) or ticket.kind
    waits = ago(ticket.last_public_at, context.work.world.now())
    return f"#{ticket.id} {ticket.language} · {about} · {ticket.state.value}{who}{whose} · {waits}"


@family.command("show", aliases=("read",))
async def show(context: Context, ticket: Ticket, what: str = "") -> Reply:
    """Show what the user wrote that nobody has read, or the newest of it, or all; it counts as read then.

    !show
    !show #12 all
    """
    if what.casefold() not in {"", ALL}:
        raise Refusal(f"`!show` does not know “{brief(what)}”: say `!show` or `!show all`.")
    shown = await reading.show(context.unit, ticket, whole=bool(what))
    return Reply(shown.text, quote=shown.quote, file=shown.file)


@family.command("claim", aliases=("take",))
async def claim(context: Context, ticket: Ticket) -> Reply:
    """Take a ticket on; one agent wins, the others read who. 👀 on the announcement does the same.

    !claim
    !claim #12
    """
    await actions.claim(context.work, ticket, context.agent)
    return Reply(f"Ticket {ticket.id} is yours.", done=True)


@family.command("release", aliases=("unclaim",))
async def release(context: Context, ticket: Ticket) -> Reply:
    """Give a ticket of yours back.

    !release
    """
    await actions.release(context.work, ticket, context.agent)
    return Reply(f"Ticket {ticket.id} is free again.", done=True)


@family.command("assign")
async def assign(context: Context, ticket: Ticket, agent: Agent) -> Reply:
    """Hand a ticket to an agent, whoever had it. The first half of the Matrix user id will do.

    !assign ana
    !assign #12 @ana:example.org
    """
    await actions.assign(context.work, ticket, agent, by=context.agent)
    return Reply(f"Ticket {ticket.id} is {agent}'s.", done=True)


@family.command("note")
async def note(context: Context, ticket: Ticket, text: Rest) -> Reply:
    """Keep a note for the team; it never leaves the house.

    !note She'll write again when she's back home.
    """
    await actions.note(context.work, ticket, context.agent, text)
    return Reply("Noted.", done=True)


@family.command("tag")
async def tag(context: Context, ticket: Ticket, words: Words) -> Reply:
    """Put tags on a ticket.

    !tag wifi broadcom
    """
    added = await actions.tag(context.work, ticket, words)
    return Reply(f"Tagged: {', '.join(added)}." if added else "These tags were there already.")


@family.command("untag")
async def untag(context: Context, ticket: Ticket, words: Words) -> Reply:
    """Take tags off a ticket.

    !untag wifi
    """
    taken = await actions.untag(context.work, ticket, words)
    return Reply(f"Taken off: {', '.join(taken)}." if taken else "There are no such tags on it.")


@family.command("close", aliases=("done",))
async def close(context: Context, ticket: Ticket, reason: Rest = Rest("")) -> Reply:
    """Close a ticket, with a reason or without. It opens again when the user writes.

    !close
    !close solved by the update
    """
    await actions.close(context.work, ticket, reason, by=context.agent)
    return Reply(f"Ticket {ticket.id} is closed.", done=True)


@family.command("reopen")
async def reopen(context: Context, ticket: Ticket) -> Reply:
    """Open a closed ticket again.

    !reopen
    """
    await actions.reopen(context.work, ticket)
    return Reply(f"Ticket {ticket.id} is open again.", done=True)


@family.command("lang", aliases=("language",))
async def lang(context: Context, ticket: Ticket, language: LanguageCode) -> Reply:
    """Correct a ticket's language; it moves to that language's room when there is one.

    !lang fr
    """
    moved = await actions.set_language(context.work, ticket, language, by=context.agent)
    is_here = context.work.config.queue_for_language(language) is not None
    home = await context.unit.rooms.of_queue(moved) if moved else None
    link = f" {link_to(home)}" if home is not None else ""
    where = f" and goes on in the room of “{moved}”" if moved else ""
    stays = "" if is_here else " There is no room for that language, so it stays here."
    return Reply(f"Ticket {ticket.id} is in “{language}”{where}.{stays}{link}")
