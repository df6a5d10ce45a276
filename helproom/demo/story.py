# SPDX-License-Identifier: AGPL-3.0-or-later
"""The story of the demo: an encrypted report and a plain mail come in and are answered."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.testing.person import Person, Seen
from desk.letters.opened import SignatureState
from helproom.demo.findings import Findings
from helproom.demo.letters import (
    ANSWER,
    FRENCH_ANSWER,
    FRENCH_SENTENCE,
    FRENCH_USER,
    PICTURE,
    PRIVATE,
    SENTENCE,
    Received,
    encrypted_report,
    open_encrypted,
    open_signed,
    plain_letter,
)
from helproom.demo.stage import HOLD_SECONDS, USER, Stage
from helproom.demo.telling import Narrator, head_of
from mail.testing.smtp_server import Caught

RASH_ANSWER = "Buy another laptop."
_THREAD = "in the ticket's thread"
_MAIL_LINES = 14
_STEP_SECONDS = 30.0


@dataclass(frozen=True)
class Told:
    """A story that is being told: where it plays, who tells it, and what was found on the way."""

    stage: Stage
    narrator: Narrator
    findings: Findings

    async def hears(
        self,
        person: Person,
        text: str,
        *,
        edit_of: str | None = None,
        unless: Callable[[Seen], bool] | None = None,
    ) -> Seen:
        """What the bot says, as this person's client shows it; raises TimeoutError."""
        return await person.wait_for(
            lambda seen: (
                seen.sender == self.stage.bot
                and text in seen.body
                and seen.replaces == edit_of
                and not (unless and unless(seen))
            ),
            seconds=_STEP_SECONDS,
        )

    async def says(self, person: Person, name: str, ticket: Seen, text: str) -> None:
        """Let an agent write in a ticket's thread, and show it."""
        self.narrator.in_room(name, text)
        await person.say(ticket.room_id, text, thread=ticket.event_id)

    def shows(self, seen: Seen, *, where: str = _THREAD) -> None:
        """Show what the bot said."""
        self.narrator.in_room("Helproom", seen.body, where=where)


async def tell_story(told: Told) -> None:
    """Tell all of it. Raises TimeoutError when something does not happen."""
    ticket = await _a_report_arrives(told)
    await _one_agent_takes_it(told, ticket)
    await _she_reads_and_tags(told, ticket)
    await _an_answer_is_taken_back(told, ticket)
    await _an_answer_leaves(told, ticket)
    await _a_plain_mail(told)
    await _it_is_found_again(told, ticket)


async def _a_report_arrives(told: Told) -> Seen:
    told.narrator.step("Mila, whose Wi-Fi does not work, sends a report with WhisperBack")
    report = encrypted_report(told.stage)
    told.narrator.mail("what every mail server on the way sees", head_of(report, _MAIL_LINES))
    await told.stage.deliver(report, sender=USER)
    told.narrator.tell(
        "Helproom keeps it, opens it with the desk's key, and announces it in the encrypted room:"
    )
    ticket = await told.hears(told.stage.ana, "#1")
    told.shows(ticket, where="in the room of the English queue")
    told.findings.check(
        "The announcement is encrypted, and holds neither address nor text",
        holds=ticket.encrypted and not any(word in ticket.body for word in (USER, SENTENCE)),
        seen="the event that Ana's client got",
    )
    ping = await told.hears(told.stage.ana, "on duty")
    told.narrator.tell("Ana has the shift, so her client rings, once:")
    told.shows(ping)
    told.findings.check(
        "Whoever is on duty is mentioned, and nobody else",
        holds=ping.mentions == (told.stage.ana.user_id,),
        seen="the mentions of the event",
    )
    return ticket


async def _one_agent_takes_it(told: Told, ticket: Seen) -> None:
    stage = told.stage
    told.narrator.step("Ana claims the ticket with 👀; Bob is a moment too late")
    told.narrator.in_room("Ana", "👀", where="as a reaction to the announcement")
    await stage.ana.react(ticket.room_id, ticket.event_id, "👀")
    claimed = await told.hears(stage.ana, "claimed by", edit_of=ticket.event_id)
    told.narrator.tell("The announcement changes for everybody:")
    told.shows(claimed, where="in the room of the English queue")
    await told.says(stage.bob, "Bob", ticket, "!claim")
    refused = await told.hears(stage.bob, "is claimed by")
    told.shows(refused)
    told.findings.check(
        "A ticket has one owner", holds=stage.ana.user_id in claimed.body, seen="the edited announcement"
    )
    told.findings.check(
        "The other agent is refused, and reads who has it",
        holds=stage.ana.user_id in refused.body and refused.encrypted,
        seen="what Bob's client got",
    )


async def _she_reads_and_tags(told: Told, ticket: Seen) -> None:
    ana = told.stage.ana
    told.narrator.step("Ana reads the report in the thread, and tags it")
    await told.says(ana, "Ana", ticket, "!show")
    shown = await told.hears(ana, SENTENCE)
    told.shows(shown)
    told.findings.check(
        "The agent reads the user's words, encrypted on their way through the homeserver",
        holds=shown.encrypted and USER in shown.body,
        seen="what Ana's client got",
    )
    await told.says(ana, "Ana", ticket, "!tag wifi realtek")
    told.shows(
        await told.hears(ana, "realtek", edit_of=ticket.event_id), where="in the room of the English queue"
    )


async def _an_answer_is_taken_back(told: Told, ticket: Seen) -> None:
    ana = told.stage.ana
    told.narrator.step("Ana answers rashly, sees the preview, and takes it back with ❌")
    await told.says(ana, "Ana", ticket, f"!reply {RASH_ANSWER}")
    preview = await told.hears(ana, RASH_ANSWER)
    await ana.react(preview.room_id, preview.event_id, "❌")
    told.shows(preview)
    told.narrator.in_room("Ana", "❌", where="as a reaction to the preview in the ticket's thread")
    told.shows(await told.hears(ana, "taken back by", edit_of=preview.event_id))


async def _an_answer_leaves(told: Told, ticket: Seen) -> None:
    stage = told.stage
    told.narrator.step("She answers again, and sends it with ✅: it leaves encrypted to Mila")
    await told.says(stage.ana, "Ana", ticket, f"!reply Hello Mila,\n\n{ANSWER}")
    preview = await told.hears(stage.ana, ANSWER)
    await stage.ana.react(preview.room_id, preview.event_id, "✅")
    told.shows(preview)
    told.narrator.in_room("Ana", "✅", where="as a reaction to the preview in the ticket's thread")
    mail = await stage.catcher.wait_for(1, _STEP_SECONDS)
    told.narrator.mail("the answer, as every mail server on the way sees it", head_of(mail.content, 20))
    opened = open_encrypted(stage, mail.content)
    told.narrator.tell("Mila's mail program opens it with her secret key:")
    told.narrator.mail("what Mila reads", _as_read(opened))
    _check_encrypted(told, mail, opened)
    told.shows(await told.hears(stage.ana, "Left at", edit_of=preview.event_id))
    sent = await told.hears(stage.ana, "answered", edit_of=ticket.event_id)
    told.shows(sent, where="in the room of the English queue")


def _check_encrypted(told: Told, mail: Caught, opened: Received | None) -> None:
    closed = b"multipart/encrypted" in mail.content and ANSWER.encode() not in mail.content
    told.findings.check(
        "The answer leaves encrypted, with its subject",
        holds=closed and b"Wi-Fi" not in mail.content and mail.recipients == (USER,),
        seen="the bytes the mail server got",
    )
    told.findings.check(
        "The user's key opens it, and the right text is in it",
        holds=opened is not None and ANSWER in opened.text and RASH_ANSWER not in opened.text,
        seen="Mila's own GnuPG",
    )
    told.findings.check(
        "It is signed by the desk's key",
        holds=opened is not None and _signed_by(opened, told.stage.queue_key("en")),
        seen="Mila's own GnuPG",
    )


def _signed_by(received: Received, fingerprint: str) -> bool:
    return [(each.state, each.fingerprint) for each in received.signatures] == [
        (SignatureState.GOOD, fingerprint)
    ]


def _as_read(received: Received | None) -> str:
    if received is None:
        return "(it cannot be read)"
    states = ", ".join(f"{each.state.value}, key {each.fingerprint}" for each in received.signatures)
    return f"Subject: {received.subject}\nSignature: {states or 'none'}\n\n{received.text.strip()}"


async def _a_plain_mail(told: Told) -> None:
    stage = told.stage
    told.narrator.step("Luc writes a plain mail, in French, to the English address")
    letter = plain_letter()
    told.narrator.mail("what every mail server on the way sees", letter.decode("utf-8").replace("\r\n", "\n"))
    await stage.deliver(letter, sender=FRENCH_USER)
    ticket = await told.hears(stage.bob, "#2")
    told.narrator.tell("Helproom recognises the language, and announces it in the room of that queue:")
    told.shows(ticket, where="in the room of the French queue")
    first = await told.hears(stage.bob, "#1")
    told.findings.check(
        "A French mail is announced in the French room, whatever its address",
        holds=ticket.room_id != first.room_id and ticket.encrypted,
        seen="the event that Bob's client got",
    )
    await told.says(stage.bob, "Bob", ticket, "!claim")
    await told.hears(stage.bob, "claimed by", edit_of=ticket.event_id)
    await told.says(stage.bob, "Bob", ticket, "!show")
    told.shows(await told.hears(stage.bob, FRENCH_SENTENCE))
    await _he_looks_at_the_picture(told, ticket)
    await told.says(stage.bob, "Bob", ticket, f"!reply Bonjour Luc,\n\n{FRENCH_ANSWER}")
    preview = await told.hears(stage.bob, FRENCH_ANSWER)
    told.shows(preview)
    told.narrator.tell(
        f"Bob does nothing more. After a hold of {HOLD_SECONDS} s (by default 60 s) it leaves by itself:"
    )
    mail = await stage.catcher.wait_for(2, _STEP_SECONDS)
    received = open_signed(stage, mail.content)
    told.narrator.mail("what Luc reads", _as_read(received))
    told.shows(await told.hears(stage.bob, "Left at", edit_of=preview.event_id))
    _check_plain(told, mail, received)


async def _he_looks_at_the_picture(told: Told, ticket: Seen) -> None:
    bob = told.stage.bob
    await told.says(bob, "Bob", ticket, "!files")
    told.shows(await told.hears(bob, "photo.png"))
    await told.says(bob, "Bob", ticket, "!file 1")
    picture = await bob.wait_for(lambda seen: seen.msgtype == "m.image", seconds=_STEP_SECONDS)
    told.narrator.in_room("Helproom", "(here the picture)", where=_THREAD)
    told.findings.check(
        "A file that a user sent is shown encrypted, where somebody asks for it",
        holds=picture.encrypted
        and picture.thread == ticket.event_id
        and await bob.open_file(picture) == PICTURE,
        seen="what Bob's client got and opened",
    )


async def _it_is_found_again(told: Told, ticket: Seen) -> None:
    ana = told.stage.ana
    told.narrator.step("Ana wants to know who else has trouble with such a card")
    words, where = "!search realtek OR broadcom is:answered", "in the room of the English queue"
    told.narrator.in_room("Ana", words, where=where)
    await ana.say(ticket.room_id, words)
    found = await told.hears(ana, "One ticket")
    told.shows(found, where=where)
    told.findings.check(
        "A ticket is found by its words, though no index of them is on disk",
        holds=found.encrypted and "#1 " in found.body,
        seen="what Ana's client got",
    )


def _check_plain(told: Told, mail: Caught, received: Received | None) -> None:
    told.findings.check(
        "A user without a key gets a plain answer, signed by the key of the address they wrote to",
        holds=received is not None
        and FRENCH_ANSWER in received.text
        and mail.recipients == (FRENCH_USER,)
        and _signed_by(received, told.stage.queue_key("en")),
        seen="the mail, with GnuPG",
    )
    told.findings.check(
        "What was taken back has never left",
        holds=len(told.stage.catcher.caught) == 2,  # noqa: PLR2004 - one answer to each user
        seen="all that the mail server got",
    )


__all__ = ["PRIVATE", "Told", "tell_story"]
