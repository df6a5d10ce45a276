# SPDX-License-Identifier: AGPL-3.0-or-later
"""One LMTP conversation (RFC 2033): what is refused, what is kept, and what is answered."""

import asyncio
import collections
import logging
from collections.abc import Callable

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import Envelope, Session

from desk.stopwatch import Stopwatch
from mail.addresses import is_legible, split_token
from mail.inbound.incoming import Keep, is_empty
from storage.engine.troubles import StorageTrouble
from storage.queries.letters import IncomingMail

# aiosmtpd logs peers, addresses and whole lines of letters.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)
log = structlog.get_logger()

_LATER = "451 4.3.0 Not kept because of a fault here; try again later"
_UNKNOWN = "550 5.1.1 No such address here"
_KEPT = "250 2.0.0 Kept"
_TOO_LARGE = "552 5.3.4 The letter is too large"
_NO_ADDRESS = "553 5.1.3 The address holds bytes that are no UTF-8, or characters that nobody can see"
_EMPTY = "554 5.6.0 The letter is empty"
_TOO_MANY = "452 4.5.3 Too many recipients"
_MOST_RECIPIENTS = 100
_IDLE_SECONDS = 300.0
_LONGEST_COMMAND = 2048
_END_OF_DATA = b"\r\n.\r\n"
_ALL_THERE_IS = 1 << 30
_STUFFING = 1_000_000
"""Bytes that dots doubled on the way may add to a letter of the largest size."""


class Guard:
    """The handler whose methods aiosmtpd calls by their names."""

    def __init__(self, queue_of: Callable[[str], str | None], keep: Keep, largest: int) -> None:
        self._queue_of = queue_of
        self._keep = keep
        self.largest = largest
        """Bytes of the largest letter that is taken."""
        self.shutting = False

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's
        self, _server: object, session: Session, _envelope: Envelope, host: str, offered: list[str]
    ) -> list[str]:
        """Offer what the library can do without saying so, and LMTP demands (RFC 2033, 5)."""
        session.host_name = host
        return [*offered[:-1], "250-PIPELINING", offered[-1]]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, _server: object, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Refuse strangers, and what no database takes, before their letters are sent."""
        if not is_legible(address):
            return _NO_ADDRESS
        if self._queue_of(address) is None:
            return _UNKNOWN
        if len(envelope.rcpt_tos) >= _MOST_RECIPIENTS:
            return _TOO_MANY
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient known"

    async def keep_for_all(self, envelope: Envelope, raw: bytes) -> list[str]:
        """Keep a letter once for each recipient; one answer for each, in their order (RFC 2033, 4.2)."""
        # Bytes that are no UTF-8 came as surrogates, which no database takes.
        sender = (envelope.mail_from or "").encode("utf-8", "replace").decode("utf-8")
        sender = "" if sender == "<>" else sender
        return [await self._keep_for(sender, recipient, raw) for recipient in envelope.rcpt_tos]

    async def _keep_for(self, sender: str, recipient: str, raw: bytes) -> str:
        try:
            queue = self._queue_of(recipient)
            if queue is None:
                return _UNKNOWN
            await self._keep(IncomingMail(queue, sender, split_token(recipient)[1], raw))
        except StorageTrouble as trouble:
            log.error("letter not kept", trouble=str(trouble))  # noqa: TRY400 - a sentence for the sysadmin
            return _LATER
        except Exception as fault:  # noqa: BLE001 - whatever breaks here, the sender must keep the letter
            log.error("letter not kept", fault=type(fault).__name__)  # noqa: TRY400 - its text may name people
            return _LATER
        return _KEPT

    async def handle_exception(self, error: Exception) -> str:
        """Whatever breaks in our code is told as our fault, without its text."""
        log.error("lmtp session broke", fault=type(error).__name__)
        return _LATER


class Speaker(LMTP):
    """One connection. Reading letters is our own: aiosmtpd keeps an object for each line (1 GB for 25 MB of
    empty lines), refuses long lines for ever, and gives one answer where LMTP wants one for each recipient.
    """

    command_size_limit = _LONGEST_COMMAND
    line_length_limit = 64 * 1024
    """The size of the stream's buffer."""

    def __init__(self, guard: Guard, others: set["Speaker"]) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            guard,
            data_size_limit=guard.largest,
            enable_SMTPUTF8=True,
            hostname="helproom",
            ident="LMTP",
            timeout=_IDLE_SECONDS,
            loop=loop,
        )
        # The library shares these between all connections, and lets each of them clear them.
        self.command_size_limits = collections.defaultdict(lambda: _LONGEST_COMMAND)
        self._guard = guard
        self._others = others
        self._keeping = False
        self.gone: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the open connections."""
        self._others.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Leave them."""
        super().connection_lost(error)
        self._others.discard(self)
        if not self.gone.done():
            self.gone.set_result(None)

    def hang_up(self) -> None:
        """Close the connection, after what is written has left."""
        if self.transport is not None:
            self.transport.close()

    def hang_up_when_idle(self) -> None:
        """Close the connection at once, or when the letter that is being kept has been answered."""
        if not self._keeping:
            self.hang_up()

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's
        """Read a letter and answer for each recipient."""
        if await self.check_helo_needed("LHLO"):
            return
        envelope = self.envelope
        if envelope is None or not envelope.rcpt_tos:
            await self.push("503 5.5.1 Error: need RCPT command")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        raw = await self._read_letter()
        self._keeping = True
        stopwatch = Stopwatch()
        try:
            answers = [_TOO_LARGE] * len(envelope.rcpt_tos)
            if raw is not None and is_empty(raw):
                answers = [_EMPTY] * len(envelope.rcpt_tos)
            elif raw is not None:
                answers = await self._guard.keep_for_all(envelope, raw)
            self.envelope = self._create_envelope()
            await self.push("\r\n".join(answers))
            log.info("letter.answered", codes=[answer[:3] for answer in answers], ms=stopwatch.ms)
        finally:
            self._keeping = False
        if self._guard.shutting:
            self.hang_up()

    async def _read_letter(self) -> bytes | None:
        """Read up to the final dot and undo the dot-stuffing (RFC 5321, 4.5.2); None when it is too large.

        Only CRLF . CRLF ends a letter: a bare LF around the dot would let one letter smuggle in another.
        """
        held = bytearray(b"\r\n")
        is_too_large = False
        begin = 0
        while (end := held.find(_END_OF_DATA, begin)) < 0:
            chunk = await self._reader.read(_ALL_THERE_IS)
            if not chunk:
                raise ConnectionResetError
            self._reset_timeout()
            if len(held) + len(chunk) > self._guard.largest + _STUFFING:
                is_too_large = True
                del held[: -len(_END_OF_DATA)]
            begin = max(0, len(held) - len(_END_OF_DATA))
            held += chunk
        rest = bytes(held[end + len(_END_OF_DATA) :])
        del held[end + 2 :]
        if rest:
            # The reader is empty: all there was has just been read, so these pipelined commands come next.
            self._reader.feed_data(rest)
        held = held.replace(b"\r\n.", b"\r\n")
        if is_too_large or len(held) - 2 > self._guard.largest:
            return None
        return bytes(memoryview(held)[2:])
