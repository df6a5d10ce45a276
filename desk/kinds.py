# SPDX-License-Identifier: AGPL-3.0-or-later
"""All kinds of outbox rows: a new one stands beside the code that writes it, and here."""

from desk.agents import identities
from desk.duty import pings
from desk.intake import recheck
from desk.outbox import posts
from desk.outbox.kinds import join
from desk.problems import links
from desk.quarantine import letters
from desk.replies import attaching, mail, previews
from desk.rooms import disposable
from desk.search import pages
from desk.tickets import received_files

KINDS = join(
    posts.SAY,
    posts.FILE,
    posts.REACT,
    posts.ANNOUNCE,
    posts.ANNOUNCE_EDIT,
    pings.PING,
    previews.PREVIEW,
    previews.EDIT,
    previews.UNREACT,
    mail.MAIL,
    attaching.FETCH,
    received_files.SHOW_FILE,
    recheck.RECHECK,
    letters.SHOW,
    links.READ,
    disposable.OPEN,
    disposable.CLOSE,
    identities.ACCEPT,
    identities.DROP,
    pages.PAGE,
    pages.PAGE_EDIT,
)
