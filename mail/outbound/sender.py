# SPDX-License-Identifier: AGPL-3.0-or-later
"""Carries answers from the outbox to the submission server, protected as the policy says or not at all."""

import asyncio
import re
from dataclasses import dataclass, field

import structlog

from desk.config import Queue
from desk.context import Workplace
from desk.outbox.outcomes import Delivered, Impossible, Later, OutboxItem, Outcome, Overtaken, Unclear
from desk.replies.drafts import overtaken, protection_now
from desk.replies.protection import IN_CLEAR, Path, Protection, path_of
from desk.replies.recipients import note_server, recipient_of
from desk.tickets.details import LetterDetails
from desk.tickets.locks import locked
from desk.world import Refusal
from mail.openpgp.keyring import GpgExecutor, KeyRefused, Keyring, KeyringUnusable, SealRefused
from mail.outbound import submission
from mail.outbound.attach import EnclosedFile
from mail.outbound.compose import Encrypting, OutgoingLetter, Signing, Uncomposable, compose, fit_ids
from mail.outbound.submission import SubmissionSettings, submit
from storage.models import Message, MessageKind, OutboxState, ReplyState
from storage.unit import Unit, Units

log = structlog.get_logger()

_LEAVING = frozenset({ReplyState.LEAVING, ReplyState.SENDING, ReplyState.FAILED, ReplyState.UNCLEAR})
_SAID = frozenset({ReplyState.SENDING, ReplyState.SENT, ReplyState.UNCLEAR})
_ASK_AGAIN_SECONDS = 60.0
_CHANGED = "meanwhile it changed how this mail must be protected"


class _Withdrawn(Exception):
    """At the last moment the mail must not leave."""

    def __init__(self, outcome: Outcome) -> None:
        """Remember what becomes of the row."""
        super().__init__()
        self.outcome = outcome


@dataclass(frozen=True)
class _Draft:
    """All that is needed outside the unit."""

    letter: OutgoingLetter = field(repr=False)
    protection: Protection = field(repr=False)
    queue: Queue


class MailSender:
    """The sender of outbox rows of the kind "mail"."""

    def __init__(
        self,
        place: Workplace,
        keyring: Keyring,
        workshop: GpgExecutor,
        submission_settings: SubmissionSettings,
    ) -> None:
        """Remember what is needed; nothing is opened yet."""
        self._place = place
        self._keyring = keyring
        self._workshop = workshop
        self._settings = submission_settings

    async def __call__(self, parcel: OutboxItem) -> Outcome:
        """Send one answer, and say what became of it; no sentence holds an address."""
        try:
            draft = await self._prepare(parcel)
            mail = await self._workshop.run(self._compose, draft)
        except (Refusal, SealRefused, KeyRefused, Uncomposable) as why:
            return Impossible(str(why))
        except KeyringUnusable as why:
            return Later(str(why))
        return await self._submit(parcel, draft, mail)

    async def _prepare(self, parcel: OutboxItem) -> _Draft:
        async with self._place.units() as unit:
            message = await locked(unit, parcel.message or 0)
            if message is None or message.kind is not MessageKind.OUT or message.state not in _LEAVING:
                raise Refusal("There is no answer that may leave.")
            ticket = message.ticket
            recipient = await recipient_of(unit, ticket)
            protection = await protection_now(unit, message, self._place.world.now())
            queue = self._place.config.queue(ticket.mailbox)
            message.message_id = f"<{parcel.ref}@{queue.address.rpartition('@')[2]}>"
            message.message_id_tag = unit.messages.message_id_tag(message.message_id)
            letter = await self._letter(unit, message, queue, recipient)
            return _Draft(letter, protection, queue)

    async def _letter(self, unit: Unit, message: Message, queue: Queue, recipient: str) -> OutgoingLetter:
        ticket = message.ticket
        # What leaves in clear on demand does not even tell which mails it follows.
        alone = path_of(message) in IN_CLEAR
        said = [each for each in await unit.messages.of(ticket) if each.id != message.id and not alone]
        heard = fit_ids([each_id for each in said if _is_of_contact(each) for each_id in _ids_of(each)])
        public = [each for each in said if _is_of_contact(each) or each.state in _SAID]
        return OutgoingLetter(
            sender=queue.address,
            sender_name=queue.role_name,
            recipient=recipient,
            subject=message.subject or "",
            text=message.text or "",
            message_id=message.message_id or "",
            date=self._place.world.now(),
            in_reply_to=heard[-1] if heard else "",
            references=fit_ids([each_id for each in public for each_id in _ids_of(each)]),
            files=await _files(unit, message),
            automatic=path_of(message) is Path.AUTOMATIC,
            reply_to=_with_token(queue.address, unit.vault.reply_token(ticket.ref)),
        )

    def _compose(self, draft: _Draft) -> bytes:
        """Build the mail; there is no way from here to one that is neither signed nor encrypted."""
        signer, key = draft.queue.fingerprint, draft.protection.key
        letter = draft.letter.offering(self._keyring.key_to_offer(signer, draft.letter.sender))
        if key is None:
            return compose(letter, Signing(self._keyring, signer))
        return compose(letter, Encrypting(self._keyring, signer, (key,)))

    async def _submit(self, parcel: OutboxItem, draft: _Draft, mail: bytes) -> Outcome:
        begun = False

        async def about_to_send_data() -> None:
            nonlocal begun
            await self._mark_sending(parcel, draft.protection)
            begun = True

        sender, recipient = draft.letter.sender, draft.letter.recipient
        try:
            await submit(mail, sender, recipient, self._settings, about_to_send_data)
        except submission.SubmissionDelayed as why:
            return Later(_without(recipient, str(why)))
        except (submission.SubmissionRefused, Refusal) as why:
            return Impossible(_without(recipient, str(why)))
        except submission.SubmissionUnclear as why:
            return Unclear(_without(recipient, str(why)))
        except _Withdrawn as why:
            return why.outcome
        except Exception:
            if not begun:
                raise
            log.exception("outgoing.surprise", row=parcel.id)
            return Unclear("internal error while it was being handed over")
        return Delivered()

    async def _mark_sending(self, parcel: OutboxItem, protection: Protection) -> None:
        """Commit that the mail is being handed over; a crash from here on leaves it unclear."""
        async with self._place.units() as unit:
            row = await unit.outbox.get(parcel.id)
            message = await locked(unit, parcel.message or 0)
            if row is None or message is None or row.state is not OutboxState.PENDING:
                raise _Withdrawn(Impossible("it was taken out of the outbox meanwhile"))
            if await protection_now(unit, message, self._place.world.now()) != protection:
                raise submission.SubmissionDelayed(_CHANGED)
            if path_of(message) is not Path.AUTOMATIC and await overtaken(unit, message):
                raise _Withdrawn(Overtaken())
            row.state = OutboxState.SENDING
            message.state = ReplyState.SENDING


def _ids_of(message: Message) -> tuple[str | None, ...]:
    """Return the Message-IDs of a mail: last the protected one, which its writer's program looks for."""
    if message.kind is not MessageKind.IN:
        return (message.message_id,)
    return (message.message_id, LetterDetails.load(message).inner_message_id)


def _is_of_contact(message: Message) -> bool:
    """Which letters others sent into the ticket is not told: their Message-IDs say where they write from."""
    return message.kind is MessageKind.IN and bool(LetterDetails.load(message).from_contact)


async def learn_server(units: Units, settings: SubmissionSettings) -> None:
    """Ask the submission server, until it answers, whether it takes addresses beyond ASCII; note it."""
    while True:
        try:
            offers_smtputf8 = await submission.knock(settings)
        except submission.SubmissionDelayed as trouble:
            log.warning("outgoing.server-later", code=trouble.code)
            await asyncio.sleep(_ASK_AGAIN_SECONDS)
        else:
            async with units() as unit:
                await note_server(unit, offers_smtputf8=offers_smtputf8)
            return


async def _files(unit: Unit, message: Message) -> tuple[EnclosedFile, ...]:
    """Return what leaves with an answer; a file that is not there must not be missed in silence."""
    found = await unit.enclosures.of(message, contents=True)
    if any(each.content is None for each in found):
        raise Refusal("A file of this answer has not been fetched.")
    return tuple(
        EnclosedFile(each.name or "file", each.media_type or "", each.content or b"") for each in found
    )


def _with_token(address: str, token: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}+{token}@{domain}"


def _without(recipient: str, sentence: str) -> str:
    """Take the recipient out of what a server said, also when it names only what stands before the @."""
    local = re.escape(recipient.rpartition("@")[0])
    return re.sub(rf"(?<!\w){local}(?!\w)", "<address>", sentence, flags=re.IGNORECASE)
