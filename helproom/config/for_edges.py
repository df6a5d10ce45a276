# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the settings say, as the values that bot, mail and trackers want."""

from typing import TYPE_CHECKING

from bot.identity.session import BotAccount, Credential
from bot.identity.trust import TrustPolicy
from bot.rooms.homes import Home
from helproom.config.for_desk import session_folder
from helproom.config.sections import ImapSection, QueueSection
from helproom.config.settings import Settings
from mail.openpgp.keyring import Keyring
from mail.outbound.submission import SubmissionSettings

if TYPE_CHECKING:
    from mail.inbound.imap import ImapAccount
    from trackers.redmine import Redmine


def bot_account(settings: Settings) -> BotAccount:
    """Return whose Matrix session it is and where it is kept."""
    matrix = settings.matrix
    return BotAccount(matrix.homeserver, matrix.user_id, session_folder(settings), ca_file=matrix.ca_file)


def bot_credential(settings: Settings) -> Credential:
    """Return the bot's way in. Raises SecretUnusable."""
    matrix = settings.matrix
    return Credential(
        password=matrix.password_file.read_text() if matrix.password_file else None,
        access_token=matrix.access_token_file.read_text() if matrix.access_token_file else None,
    )


def homes(settings: Settings) -> tuple[Home, ...]:
    """Return the operators' room and one for each queue; admins are members of all."""
    admins = settings.operators.admins
    agents = tuple(dict.fromkeys((*settings.agents, *admins)))
    name = settings.operators.room_name
    operators = Home(None, name, admins, settings.operators.room, topic=f"{_FOR_OPERATORS}\n{_VERIFY}")
    return (operators, *(_home_of(queue, settings, agents) for queue in settings.queues))


def _home_of(queue: QueueSection, settings: Settings, agents: tuple[str, ...]) -> Home:
    """Return a queue's room; queues of one role and one language are told apart by their own names."""
    name = f"{queue.role_name} ({queue.language})"
    alike = [each for each in settings.queues if _kind(each) == _kind(queue)]
    if len(alike) > 1:
        name = f"{queue.role_name} ({queue.language}, {queue.name})"
    topic = f"{_FOR_AGENTS.format(language=queue.language)}\n{_VERIFY}"
    old_name = "" if queue.room_name else queue.role_name
    return Home(queue.name, queue.room_name or name, agents, queue.room, topic=topic, old_name=old_name)


def _kind(queue: QueueSection) -> tuple[str, str]:
    return queue.role_name, queue.language


_FOR_OPERATORS = "Here the bot says how it is, and what needs somebody. `!help` lists what it can do."
_FOR_AGENTS = "Tickets in “{language}”, each with a thread of its own. `!help` lists what the bot can do."
_VERIFY = (
    "To read what the bot writes, verify your device: in your client's settings, with your recovery key or "
    "another device of yours."
)


def key_policy(settings: Settings) -> TrustPolicy:
    """Return which devices receive room keys."""
    return TrustPolicy(settings.matrix.share_keys_with)


def open_keyring(settings: Settings) -> Keyring:
    """Return the desk's OpenPGP keys; to be closed. Raises SecretUnusable and KeyringUnusable."""
    passphrase = settings.mail.passphrase_file.read_text()
    return Keyring(settings.mail.gnupg_home, passphrase=passphrase)


def submission_settings(settings: Settings) -> SubmissionSettings:
    """Return how answers are handed over. Raises SecretUnusable."""
    submission = settings.mail.submission
    return SubmissionSettings(
        host=submission.host,
        port=submission.port,
        security="loopback-plain" if submission.security == "none" else submission.security,
        user=submission.user,
        password=submission.password_file.read_text() if submission.password_file else None,
        ca_file=submission.ca_file,
    )


def imap_account(section: ImapSection) -> "ImapAccount":
    """Return how a mailbox is reached. Raises SecretUnusable."""
    # Not at the top: a desk without such a mailbox has no use for what IMAP's library takes.
    from mail.inbound.imap import ImapAccount  # noqa: PLC0415

    return ImapAccount(
        section.host,
        section.port,
        section.security,
        section.user,
        section.password_file.read_text(),
        ca_file=section.ca_file,
        folder=section.folder,
        processed=section.processed,
        quarantined=section.quarantined,
        renewal=section.renew.total_seconds(),
        poll=section.poll.total_seconds(),
    )


def open_tracker(settings: Settings) -> "Redmine | None":
    """Return the issue tracker, if there is one. Raises SecretUnusable."""
    if settings.redmine is None:
        return None
    # Not at the top: a desk without a tracker has no use for the 4 MB that its library takes.
    from trackers.redmine import Redmine, RedmineAccount  # noqa: PLC0415

    redmine = settings.redmine
    return Redmine(RedmineAccount(redmine.url, redmine.api_key_file.read_text(), redmine.ca_file))
