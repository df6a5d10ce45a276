# SPDX-License-Identifier: AGPL-3.0-or-later
"""Search: the index is filled in the background, and learns of each change."""

from desk.search.feeding import Feeder
from helproom.features.feature import Feature, Task
from helproom.jobs.schedule import Role
from helproom.parts.parts import Parts


def wire(parts: Parts) -> Feature:
    """Return what keeps the index up to date; the bot searches in it."""
    return Feature(tasks=(Task("keep the search index", Feeder(parts.place).run, Role.BOT),))
