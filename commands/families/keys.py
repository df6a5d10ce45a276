# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!key` and `!recheck`: the public keys of a ticket's user, and what they open."""

from commands.context import Context, Reply, told_elsewhere
from commands.grammar.declare import Commands, Who
from commands.grammar.words import Rest, Words
from desk.intake import recheck as rechecking
from desk.keys import decisions, listing
from desk.keys.decisions import Decision
from desk.keys.standing import spaced
from desk.replies import key_request
from desk.replies.drafts import Answer
from storage.models import Ticket

family = Commands()


@family.command("key show", aliases=("keys",))
async def show(context: Context, ticket: Ticket) -> Reply:
    """Show the user's public keys: how each stands, where it came from, and its fingerprint.

    !key show
    !key show #12
    """
    contact = decisions.contact_tag_of(ticket)
    keys = await context.unit.keys.of(contact)
    if not keys and await context.unit.keys.known_once(contact):
        return Reply(listing.FORGOTTEN)
    return Reply(listing.shown(keys, context.work.world.now()))


@family.command("key accept", dangerous=True)
async def accept(context: Context, ticket: Ticket, fingerprint: Words = Words(())) -> Reply:
    """Encrypt answers to this key from now on, and to no other.

    Compare the fingerprint with the user through another channel than mail first. Where there is more than
    one key, give the last 8 digits of its fingerprint, or more.

    !key accept
    !key accept 89ABCDEF
    """
    accepted = await decisions.accept(context.work, ticket, Decision(context.agent, "".join(fingerprint)))
    return Reply(f"Accepted: answers to this user are encrypted to {spaced(accepted)}, and to no other key.")


@family.command("key refuse", aliases=("key reject",))
async def refuse(context: Context, ticket: Ticket, fingerprint: Words = Words(())) -> Reply:
    """Never encrypt to this key, and take no signature by it for the user's.

    !key refuse
    !key refuse 89AB CDEF
    """
    refused = await decisions.refuse(context.work, ticket, Decision(context.agent, "".join(fingerprint)))
    return Reply(f"Refused: {spaced(refused)} is not used, also if it comes again.")


@family.command("key forget", dangerous=True)
async def forget(context: Context, ticket: Ticket, fingerprint: Words = Words(())) -> Reply:
    """Delete the user's keys, or the one whose last digits you give, as if they had never come.

    For a key that the user has lost or that is somebody else's, `!key refuse` is better: a refused key stays
    refused, while a forgotten one counts as the first when it comes again.

    !key forget
    !key forget 89ABCDEF
    """
    count = await decisions.forget(context.work, ticket, Decision(context.agent, "".join(fingerprint)))
    return Reply(f"Forgotten: {'1 key' if count == 1 else f'{count} keys'}. {listing.WITHOUT_KEYS}")


@family.command("key ask")
async def ask(context: Context, ticket: Ticket, text: Rest = Rest("")) -> Reply | None:
    """Ask the user to confirm their key, or to send one, with the template “key-ask” and words of your own.

    It is a mail like any other: a preview first, then the hold. Where it cannot be encrypted, and an answer
    would be refused, the fixed words of the template “key-ask-clear” leave in clear, with nothing of the
    user's and none of your own. That needs a verified device, and everybody is told.

    !key ask
    !key ask You can reach us at the next meeting, too.
    """
    answer = Answer(context.agent, text, context.said_at, asked_by=context.event.original_id)
    await key_request.ask(context.work, ticket, answer, verified=context.event.verified)
    return await told_elsewhere(context, ticket, "The preview is")


@family.command("recheck")
async def recheck(context: Context, ticket: Ticket) -> Reply:
    """Open the user's letters once more, after a key has come that was missing.

    For letters that could not be opened, and for signatures with a key that was unknown.

    !recheck
    !recheck #12
    """
    count = await rechecking.ask(context.work, ticket)
    what = "1 letter is" if count == 1 else f"{count} letters are"
    return Reply(f"{what} opened again; what comes of it is said here.")


@family.command("key recheck", who=Who.ADMINS)
async def recheck_all(context: Context) -> Reply:
    """Open all letters once more that could not be opened, in all tickets, after a key of the desk has come.

    !key recheck
    """
    numbers = await rechecking.ask_for_all(context.work)
    if not numbers:
        return Reply("No letter is kept that could not be opened.")
    return Reply(f"Opened again in {rechecking.named(numbers)}; what comes of it is said in their threads.")
