# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checks on servers elsewhere: the one that takes answers, and Redmine."""

from collections.abc import AsyncIterator

from helproom.checks.findings import Finding, ok, problem
from helproom.config.settings import Settings
from mail.outbound.submission import NotSubmitted, knock
from trackers.tracker import TrackerTrouble


async def check_submission(settings: Settings) -> AsyncIterator[Finding]:
    """Connect, secure the line and log in; nothing is sent."""
    part = "answers out"
    where = f"{settings.mail.submission.host}:{settings.mail.submission.port}"
    try:
        await knock(settings.mail.submission.to_mail())
    except NotSubmitted as error:
        yield problem(part, f"{error} Look at mail.submission: it says {where}.")
    else:
        yield ok(part, f"The mail server at {where} lets Helproom in.")


async def check_redmine(settings: Settings) -> AsyncIterator[Finding]:
    """Ask Redmine who we are."""
    part = "Redmine"
    tracker = settings.redmine.open_tracker() if settings.redmine is not None else None
    if tracker is None:
        yield ok(part, "There is none in the config; `!link` keeps numbers only.")
        return
    try:
        await tracker.log_in()
    except TrackerTrouble as error:
        yield problem(part, str(error))
    else:
        yield ok(part, "Redmine answers and accepts the API key.")
    finally:
        tracker.close()
