# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checks on mailboxes: the way in, the folders, and what the server can do. Nothing is fetched or made."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

from helproom.checks.findings import Finding, ok, problem, warning
from helproom.config.sections.mail_in import ImapSection, MaildirSection
from helproom.config.settings import Settings
from mail.inbound.imap import Abilities, connected
from mail.inbound.mailbox import LoginRefused, MailboxTrouble


async def check_mailboxes(settings: Settings) -> AsyncIterator[Finding]:
    """Log in to each mailbox, open its folder, and look at each Maildir."""
    for imap in settings.mail.imap:
        for finding in await _imap(imap):
            yield finding
    for maildir in settings.mail.maildirs:
        yield _maildir(maildir)


async def _imap(section: ImapSection) -> list[Finding]:
    part = f"mailbox {section.name}"
    try:
        abilities = await asyncio.to_thread(_look, section)
    except LoginRefused as error:
        return [problem(part, f"{error} Look at user and password_file of this mailbox in mail.imap.")]
    except MailboxTrouble as error:
        where = f"{section.host}:{section.port}, security: {section.security}"
        return [problem(part, f"{error} Look at this mailbox in mail.imap: it says {where}.")]
    return list(_judge(part, section, abilities))


def _look(section: ImapSection) -> Abilities:
    with connected(section.account()) as mailbox:
        return mailbox.abilities()


def _judge(part: str, section: ImapSection, abilities: Abilities) -> Iterator[Finding]:
    yield ok(part, f"The IMAP server at {section.host}:{section.port} lets Helproom in.")
    if not abilities.idle:
        seconds = f"{section.poll.total_seconds():.0f}"
        yield warning(part, f"The server knows no IDLE, so new letters are looked for every {seconds} s.")
    if not abilities.clean_moves:
        yield warning(
            part,
            "The server knows neither MOVE nor UIDPLUS, so letters that are done with stay in the folder, "
            "flagged as deleted: expunge them with a mail program from time to time.",
        )
    if abilities.missing:
        folders = " and ".join(abilities.missing)
        yield warning(part, f"There is no folder {folders} yet: `helproom run` makes what is missing.")


def _maildir(section: MaildirSection) -> Finding:
    part, new = f"mailbox {section.name}", section.path / "new"
    if not new.is_dir():
        return problem(part, f"There is no folder {new}: let the mail server make it, or correct the path.")
    if not all(os.access(folder, os.R_OK | os.W_OK | os.X_OK) for folder in (section.path, new)):
        return problem(part, f"Helproom may not write in {section.path}: give it to Helproom's user.")
    return ok(part, f"{section.path} is a Maildir that Helproom may empty.")
