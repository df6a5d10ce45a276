# SPDX-License-Identifier: AGPL-3.0-or-later
"""The whole config: read from a file, checked at once, never changed afterwards."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo

from helproom.config.complaints import explain
from helproom.config.configfile import ConfigProblem, ConfigText, ConfigTrouble, Place, read_config_text
from helproom.config.databases import check_database
from helproom.config.sections.log import LogSection
from helproom.config.sections.mail import MailSection
from helproom.config.sections.matrix import MatrixSection
from helproom.config.sections.operators import OperatorsSection
from helproom.config.sections.queues import QueueSection
from helproom.config.sections.redmine import RedmineSection
from helproom.config.sections.replies import RepliesSection
from helproom.config.sections.rooms import DisposableRoomsSection
from helproom.config.sections.section import Section
from helproom.config.sections.shifts import ShiftSection
from helproom.config.values import FOLDER, PathOf, SecretFile, UserId

if TYPE_CHECKING:
    from bot.identity.session import BotAccount

VARIABLE = "HELPROOM_CONFIG"
USUAL_PLACES = (Path("config.yaml"), Path("/etc/helproom/config.yaml"))


def _read_database(value: Any, info: ValidationInfo) -> str:
    return check_database(value, info.context[FOLDER] if info.context else Path())


class Settings(Section):
    """config.yaml."""

    data_dir: PathOf = Field(description="the folder for the database and the bot's session")
    database: Annotated[str, BeforeValidator(_read_database)] | None = None
    database_password_file: SecretFile | None = None
    master_key_file: SecretFile = Field(description="the file with the key that seals the database")
    matrix: MatrixSection = Field(description="the section with the bot's Matrix account")
    queues: tuple[QueueSection, ...] = Field(
        min_length=1, description="the list of languages with their rooms, addresses and keys"
    )
    operators: OperatorsSection = Field(description="the section that names those who run Helproom")
    agents: tuple[UserId, ...] = Field(min_length=1, description="the user ids of those who answer")
    shifts: tuple[ShiftSection, ...] = ()
    mail: MailSection = Field(description="the section on mail in and out")
    replies: RepliesSection = RepliesSection()
    rooms: DisposableRoomsSection = DisposableRoomsSection()
    redmine: RedmineSection | None = None
    log: LogSection = LogSection()

    @property
    def session_folder(self) -> Path:
        """Return where the bot keeps its login and keys."""
        return self.data_dir / "matrix"

    def bot_account(self) -> "BotAccount":
        """Return whose Matrix session it is and where it is kept."""
        return self.matrix.account(self.session_folder)


def find_config(asked: Path | None) -> Path:
    """Return the config file that was asked for, or the first that exists in the usual places."""
    if asked is not None:
        return asked
    if named := os.environ.get(VARIABLE):
        return Path(named)
    return next((place for place in USUAL_PLACES if place.is_file()), USUAL_PLACES[0])


def read_settings(file: Path) -> Settings:
    """Read the config. Raises ConfigTrouble that names every problem with its file, line and key."""
    text = read_config_text(file)
    settings = _validate(text)
    if settings is not None:
        for place, sentence in _contradictions(settings):
            text.complain(place, sentence)
    if text.problems or settings is None:
        raise ConfigTrouble(file, tuple(text.problems))
    return settings


def _validate(text: ConfigText) -> Settings | None:
    folder = text.file.absolute().parent
    try:
        return Settings.model_validate(text.values, context={FOLDER: folder})
    except ValidationError as trouble:
        text.problems += explain(trouble, text, Settings)
        return None


def _contradictions(settings: Settings) -> Iterator[tuple[Place, str]]:
    """Sentences on values that are right alone and wrong together."""
    yield from _doubles(settings)
    yield from _strangers(settings)
    for place, people in (("agents",), settings.agents), (("operators", "admins"), settings.operators.admins):
        if settings.matrix.user_id in people:
            yield place, "The bot itself stands among them; it cannot command itself."
    yield from _mailboxes(settings)
    yield from _lists(settings)
    if settings.database_password_file and not (settings.database or "").startswith("postgresql"):
        yield ("database_password_file",), "Only a postgresql database has a password."


def _doubles(settings: Settings) -> Iterator[tuple[Place, str]]:
    for key in ("name", "address", "fingerprint"):
        seen: dict[str, int] = {}
        for number, queue in enumerate(settings.queues):
            value = str(getattr(queue, key)).lower()
            if value in seen:
                yield ("queues", number, key), f"Queue number {seen[value] + 1} has the same {key}."
            seen.setdefault(value, number)


def _mailboxes(settings: Settings) -> Iterator[tuple[Place, str]]:
    queues, seen = {queue.name for queue in settings.queues}, set[str]()
    for key in ("imap", "maildirs"):
        for number, mailbox in enumerate(getattr(settings.mail, key)):
            place: Place = ("mail", key, number)
            if mailbox.queue is not None and mailbox.queue not in queues:
                yield (*place, "queue"), "There is no queue of this name."
            if mailbox.name in seen:
                yield (*place, "name"), "Another mailbox has the same name."
            seen.add(mailbox.name)
    if any(settings.mail.silent_after < 2 * mailbox.renew for mailbox in settings.mail.imap):
        yield ("mail", "silent_after"), "This must be at least twice as long as renew of every mailbox."


def _lists(settings: Settings) -> Iterator[tuple[Place, str]]:
    """Two entries for one list are right: it may be about to change its key."""
    own = {queue.address.lower() for queue in settings.queues}
    for number, each in enumerate(settings.mail.schleuder):
        if each.address.lower() in own:
            yield ("mail", "schleuder", number, "address"), "This is a queue's own address, not a list's."


def _strangers(settings: Settings) -> Iterator[tuple[Place, str]]:
    """What shifts name and nobody has introduced."""
    names = {queue.name for queue in settings.queues}
    for number, shift in enumerate(settings.shifts):
        for position, name in enumerate(shift.queues):
            if name not in names:
                yield ("shifts", number, "queues", position), "There is no queue of this name."
        if shift.who not in (*settings.agents, *settings.operators.admins):
            yield ("shifts", number, "who"), "Whoever is on duty must stand among the agents or admins."


__all__ = ["ConfigProblem", "ConfigTrouble", "Settings", "find_config", "read_settings"]
