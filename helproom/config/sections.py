# SPDX-License-Identifier: AGPL-3.0-or-later
"""The sections of config.yaml; each field is one key there, and its description says what is missing."""

import datetime as dt
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, model_validator

from helproom.config.values import (
    Address,
    Clock,
    Days,
    Duration,
    Fingerprint,
    Language,
    Listen,
    ListenAt,
    Name,
    PathOf,
    RoomId,
    SecretFile,
    Size,
    UserId,
    WebAddress,
    Zone,
    is_loopback,
)

LARGEST_LETTER = 25_000_000
"""What `mail` opens at most."""
LARGEST_FILES = 15_000_000
"""With an answer: in base64, encrypted and armored they make a mail that other servers still take."""
LONGEST_HOLD = dt.timedelta(hours=1)
LONGEST_IDLE = dt.timedelta(minutes=29)
"""After which an IMAP server may hang up (RFC 2177)."""
_LEAST_OF_A_TAG = 2
SHORTEST_PAUSE = dt.timedelta(seconds=1)

Line = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
MailboxName = Annotated[Name, Field(max_length=32)]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]


def _short(hold: dt.timedelta) -> dt.timedelta:
    if hold > LONGEST_HOLD:
        raise ValueError("An answer waits for an hour at most.")
    return hold


def _idle(renewal: dt.timedelta) -> dt.timedelta:
    if not SHORTEST_PAUSE <= renewal <= LONGEST_IDLE:
        raise ValueError("IDLE is renewed after 1s at the earliest and after 29min at the latest.")
    return renewal


def _pause(pause: dt.timedelta) -> dt.timedelta:
    if pause < SHORTEST_PAUSE:
        raise ValueError("This must be at least 1s.")
    return pause


def _partner_tag(template: str) -> str:
    others = template.replace("{number}", "")
    if template.count("{number}") != 1 or len(re.findall(r"\w", others)) < _LEAST_OF_A_TAG:
        raise ValueError(
            "A partner's tag is their words with {number} in it, once: [rt.example.org #{number}]."
        )
    return template


def _subfolder(name: str) -> str:
    if "/" in name or name.startswith("."):
        raise ValueError("The name of a subfolder has no slash in it and no dot before it.")
    return name


class Section(BaseModel):
    """What all sections share: unknown keys are errors, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Matrix(Section):
    """The bot's account."""

    homeserver: WebAddress = Field(description="the web address of the bot's homeserver")
    user_id: UserId = Field(description="the bot's own Matrix user id")
    password_file: SecretFile | None = None
    access_token_file: SecretFile | None = None
    admin_token_file: SecretFile | None = None
    room_version: Line = "11"
    share_keys_with: Literal["signed", "all"] = "signed"
    federate: StrictBool = True
    ca_file: PathOf | None = None

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        if self.password_file is None and self.access_token_file is None:
            raise ValueError("The bot needs a way to log in: give password_file or access_token_file.")
        return self


class QueueSection(Section):
    """A language's room, mail address and OpenPGP key."""

    name: Name = Field(description="a short name, such as en")
    language: Language = Field(description="the language as two letters, such as en")
    address: Address = Field(description="the mail address people write to")
    role_name: Line = Field(description="the name under which answers leave, such as Example help desk")
    fingerprint: Fingerprint = Field(description="the fingerprint of the queue's OpenPGP key")
    detect: StrictBool = False
    fallback: tuple[UserId, ...] = ()
    room: RoomId | None = None
    room_name: Line | None = None


class Operators(Section):
    """The room that hears first what is wrong."""

    room: RoomId | None = None
    room_name: Line = "Helproom operators"
    admins: tuple[UserId, ...] = Field(min_length=1, description="the user ids of those who run Helproom")


class ShiftSection(Section):
    """A weekly time of duty."""

    who: UserId = Field(description="the user id of whoever is on duty")
    days: Days = Field(description="the days, such as mon-fri")
    start: Clock = Field(alias="from", description="the time at which the shift begins")
    end: Clock = Field(alias="to", description="the time at which the shift ends")
    zone: Zone = Field(description="the time zone, such as Europe/Paris")
    queues: tuple[Name, ...] = ()


class Lmtp(Section):
    """Where the mail server hands letters over."""

    listen: ListenAt = Listen(host="127.0.0.1", port=2525)
    max_size: Annotated[Size, Field(ge=10_000, le=LARGEST_LETTER)] = LARGEST_LETTER
    most_connections: Annotated[int, Field(ge=1, le=1000, strict=True)] = 50


class Submission(Section):
    """The server that takes our answers."""

    host: Line = Field(description="the name of the mail server that takes answers")
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: Line | None = None
    password_file: SecretFile | None = None
    ca_file: PathOf | None = None

    @model_validator(mode="after")
    def _keeps_secrets(self) -> Self:
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError("security: none is only for a mail server on this machine: use starttls or tls.")
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file go together: give both or neither.")
        return self


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
    poll: Annotated[Duration, AfterValidator(_pause)] = dt.timedelta(seconds=60)

    @model_validator(mode="after")
    def _moves_letters_away(self) -> Self:
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError("security: none is only for a mail server on this machine: use tls or starttls.")
        if self.folder in (self.processed, self.quarantined):
            raise ValueError("processed and quarantined must be other folders than the one fetched from.")
        return self


class MaildirSection(Section):
    """A mailbox in a folder of this machine."""

    name: MailboxName = Field(description="a short name for logs and rooms, such as main")
    path: PathOf = Field(description="the folder that has new/ in it")
    processed: Annotated[Line | Literal[""], AfterValidator(_subfolder)] | None = "Processed"
    quarantined: Annotated[Line, AfterValidator(_subfolder)] = "Quarantined"
    queue: Name | None = None
    poll: Annotated[Duration, AfterValidator(_pause)] = dt.timedelta(seconds=5)


class RateSection(Section):
    """How many letters are taken in within an hour."""

    per_sender: Annotated[int, Field(ge=1, strict=True)] = 20
    per_crowd: Annotated[int, Field(ge=1, strict=True)] = 100
    in_all: Annotated[int, Field(ge=1, strict=True)] = 500
    exempt: tuple[Address, ...] = ()


class SchleuderSection(Section):
    """A Schleuder list that relays letters to the desk."""

    address: Address = Field(description="the list's mail address")
    fingerprint: Fingerprint = Field(description="the fingerprint of the list's OpenPGP key")


class MailSection(Section):
    """Mail in and out, and the keys for it."""

    gnupg_home: PathOf = Field(description="the folder with the queues' OpenPGP keys")
    passphrase_file: SecretFile = Field(description="the file with the passphrase of these keys")
    lmtp: Lmtp | None = Lmtp()
    imap: tuple[ImapSection, ...] = ()
    maildirs: tuple[MaildirSection, ...] = ()
    silent_after: Annotated[Duration, AfterValidator(_pause)] = dt.timedelta(minutes=15)
    no_letter_after: Annotated[Duration, AfterValidator(_pause)] | None = None
    submission: Submission = Field(description="the section that names the mail server for answers")
    workers: Annotated[int, Field(ge=1, le=32, strict=True)] = 2
    rate: RateSection | None = RateSection()
    schleuder: tuple[SchleuderSection, ...] = ()
    partner_tags: tuple[Annotated[Line, AfterValidator(_partner_tag)], ...] = ()


class Replies(Section):
    """How answers leave."""

    hold: Annotated[Duration, AfterValidator(_short)] = dt.timedelta(seconds=60)
    first_answer: Name | None = None
    most_first_answers: Annotated[int, Field(ge=1, strict=True)] = 60
    most_files: Annotated[int, Field(ge=0, le=20, strict=True)] = 5
    files_size: Annotated[Size, Field(ge=10_000, le=LARGEST_FILES)] = 10_000_000
    fallback_languages: tuple[Language, ...] = ("en",)
    variables: dict[Name, str] = Field(default_factory=dict)


class DisposableRooms(Section):
    """Rooms for one tricky case."""

    life: Duration = dt.timedelta(hours=24)
    longest: Duration = dt.timedelta(hours=72)

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if not dt.timedelta(0) < self.life <= self.longest:
            raise ValueError("life is longer than longest, or nothing: a room must end.")
        return self


class RedmineSection(Section):
    """The issue tracker."""

    url: WebAddress = Field(description="the web address of Redmine")
    api_key_file: SecretFile = Field(description="the file with the API key of Helproom's Redmine account")
    ca_file: PathOf | None = None


class Log(Section):
    """What is written to standard error; ids only, at every level."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    form: Literal["auto", "json", "console"] = "auto"
