# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the settings say, as the values that bot, mail and trackers want."""

from bot.session import Account, Credential
from bot.trust import Policy
from helproom.handover import session_folder
from helproom.settings import Settings
from mail.openpgp import Keyring
from mail.submission import SubmissionSettings
from trackers.redmine import Redmine, RedmineAccount


def bot_account(settings: Settings) -> Account:
    """Return whose Matrix session it is and where it is kept."""
    return Account(settings.matrix.homeserver, settings.matrix.user_id, session_folder(settings))


def bot_credential(settings: Settings) -> Credential:
    """Return the bot's way in. Raises SecretUnusable."""
    matrix = settings.matrix
    return Credential(
        password=matrix.password_file.read_text() if matrix.password_file else None,
        access_token=matrix.access_token_file.read_text() if matrix.access_token_file else None,
    )


def key_policy(settings: Settings) -> Policy:
    """Return which devices receive room keys."""
    return Policy(settings.matrix.share_keys_with)


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


def open_tracker(settings: Settings) -> Redmine | None:
    """Return the issue tracker, if there is one. Raises SecretUnusable."""
    if settings.redmine is None:
        return None
    redmine = settings.redmine
    return Redmine(RedmineAccount(redmine.url, redmine.api_key_file.read_text(), redmine.ca_file))
