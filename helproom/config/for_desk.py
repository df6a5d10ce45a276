# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the settings say, as the values that desk and storage want."""

from collections.abc import Sequence
from pathlib import Path

from desk.context import Workplace
from desk.house import House, Queue, Rate, Relay, Shift
from desk.intake.matching import partner_pattern
from helproom.config import databases
from helproom.config.credentials import SecretUnusable, read_master_key
from helproom.config.sections import QueueSection, RateSection, SchleuderSection, ShiftSection
from helproom.config.settings import Settings
from helproom.world import real_world
from mail.whisperback.report import NOBODIES
from storage.engine.connect import open_engine
from storage.sealing.vault import MASTER_KEY_BYTES, Vault
from storage.unit import Units


def house_of(settings: Settings) -> House:
    """Return how the desk is set up."""
    admins = frozenset(settings.operators.admins)
    return House(
        queues=tuple(_queue(section) for section in settings.queues),
        agents=frozenset(settings.agents) | admins,
        admins=admins,
        shifts=tuple(_shift(section) for section in settings.shifts),
        hold=settings.replies.hold,
        fallback_languages=settings.replies.fallback_languages,
        variables=settings.replies.variables,
        partners=tuple(partner_pattern(each) for each in settings.mail.partner_tags),
        first_answer=settings.replies.first_answer,
        most_first_answers=settings.replies.most_first_answers,
        most_files=settings.replies.most_files,
        files_size=settings.replies.files_size,
        rate=_rate(settings.mail.rate, settings.mail.schleuder),
        relays=tuple(Relay(each.address.lower(), each.fingerprint) for each in settings.mail.schleuder),
        tracker_url=settings.redmine.url if settings.redmine else "",
        room_life=settings.rooms.life,
        longest_room_life=settings.rooms.longest,
    )


def _queue(section: QueueSection) -> Queue:
    return Queue(
        name=section.name,
        language=section.language,
        address=section.address.lower(),
        role_name=section.role_name,
        fingerprint=section.fingerprint,
        detect=section.detect,
        fallback=section.fallback,
    )


def _rate(section: RateSection | None, lists: Sequence[SchleuderSection]) -> Rate | None:
    if section is None:
        return None
    # What a list relays comes from one address, whoever wrote it, and so do all WhisperBack reports.
    relayed = (each.address.lower().replace("@", f"{end}@") for each in lists for end in ("", "-bounce"))
    crowds = tuple(sorted({*relayed, *NOBODIES}))
    exempt = tuple(sorted(each.lower() for each in section.exempt))
    return Rate(section.per_sender, section.in_all, exempt, section.per_crowd, crowds)


def _shift(section: ShiftSection) -> Shift:
    return Shift(
        user_id=section.who,
        weekdays=section.days,
        start=section.start,
        end=section.end,
        zone=section.zone,
        queues=frozenset(section.queues),
    )


def queue_addresses(settings: Settings) -> dict[str, str]:
    """Return the queues' names by their addresses, for the doors of `mail`."""
    return {queue.address: queue.name for queue in settings.queues}


def database_url(settings: Settings) -> str:
    """Return the database's URL with its password, if it has one. Raises SecretUnusable."""
    url = settings.database or databases.sqlite_url(settings.data_dir / databases.FILE)
    if settings.database_password_file is None:
        return url
    try:
        return databases.with_password(url, settings.database_password_file.read_text())
    except ValueError:
        raise SecretUnusable("The database URL names no user, so its password belongs to nobody.") from None


def open_units(settings: Settings) -> Units:
    """Return the database, not connected yet, with the vault that opens its seals. Raises SecretUnusable."""
    vault = Vault(read_master_key(settings.master_key_file, MASTER_KEY_BYTES))
    return Units(open_engine(database_url(settings)), vault)


def open_place(settings: Settings) -> Workplace:
    """Return all that a part of the desk is given, the database not connected yet. Raises SecretUnusable."""
    return Workplace(open_units(settings), real_world(), house_of(settings))


def session_folder(settings: Settings) -> Path:
    """Return where the bot keeps its login and keys."""
    return settings.data_dir / "matrix"
