# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where letters come from: LMTP, IMAP mailboxes and maildirs."""

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from helproom.config.sections.section import (
    SHORTEST_PAUSE,
    Line,
    MailboxName,
    Port,
    Section,
    check_pause,
)
from helproom.config.values import Duration, Listen, ListenAt, Name, PathOf, SecretFile, Size, is_loopback

if TYPE_CHECKING:
    from mail.inbound.imap import ImapAccount

LARGEST_LETTER = 25_000_000
"""What `mail` opens at most."""
LONGEST_IDLE = dt.timedelta(minutes=29)
"""After which an IMAP server may hang up (RFC 2177)."""


def _idle(renewal: dt.timedelta) -> dt.timedelta:
    if not SHORTEST_PAUSE <= renewal <= LONGEST_IDLE:
        raise ValueError("IDLE is renewed after 1s at the earliest and after 29min at the latest.")
    return renewal


def _subfolder(name: str) -> str:
    if "/" in name or name.startswith("."):
        raise ValueError("The name of a subfolder has no slash in it and no dot before it.")
    return name


class LmtpSection(Section):
    """Where the mail server hands letters over."""

    listen: ListenAt = Listen(host="127.0.0.1", port=2525)
    max_size: Annotated[Size, Field(ge=10_000, le=LARGEST_LETTER)] = LARGEST_LETTER
    most_connections: Annotated[int, Field(ge=1, le=1000, strict=True)] = 50


class ImapSection(Section):
    """A mailbox on an IMAP server."""

    name: MailboxName = Field(description="a short name for logs and rooms, such as main")
    host: Line = Field(description="the name of the IMAP server")
    port: Port = 993
    security: Literal["tls", "starttls", "none"] = "tls"
    user: Line = Field(description="the account there")
    password_file: SecretFile = Field(description="the file with the password of this account")
    ca_file: PathOf | None = None
    folder: Line = "INBOX"
    processed: Line | None = "Processed"
    quarantined: Line = "Quarantined"
    queue: Name | None = None
    renew: Annotated[Duration, AfterValidator(_idle)] = dt.timedelta(minutes=5)
    poll: Annotated[Duration, AfterValidator(check_pause)] = dt.timedelta(seconds=60)

    @model_validator(mode="after")
    def _moves_letters_away(self) -> Self:
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError("security: none is only for a mail server on this machine: use tls or starttls.")
        if self.folder in (self.processed, self.quarantined):
            raise ValueError("processed and quarantined must be other folders than the one fetched from.")
        return self

    def account(self) -> "ImapAccount":
        """Return how the mailbox is reached. Raises SecretUnusable."""
        from mail.inbound.imap import ImapAccount  # noqa: PLC0415

        return ImapAccount(
            self.host,
            self.port,
            self.security,
            self.user,
            self.password_file.read_text(),
            ca_file=self.ca_file,
            folder=self.folder,
            processed=self.processed,
            quarantined=self.quarantined,
            renewal=self.renew.total_seconds(),
            poll=self.poll.total_seconds(),
        )


class MaildirSection(Section):
    """A mailbox in a folder of this machine."""

    name: MailboxName = Field(description="a short name for logs and rooms, such as main")
    path: PathOf = Field(description="the folder that has new/ in it")
    processed: Annotated[Line | Literal[""], AfterValidator(_subfolder)] | None = "Processed"
    quarantined: Annotated[Line, AfterValidator(_subfolder)] = "Quarantined"
    queue: Name | None = None
    poll: Annotated[Duration, AfterValidator(check_pause)] = dt.timedelta(seconds=5)
