# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keys: those of the queues are watched, those of users opened with, and identities in rooms pinned."""

from bot.desk.pinning import PinSenders
from desk.intake.recheck import RECHECK
from helproom.features.feature import Feature
from helproom.jobs.keywatch import KEY_CHECK_SECONDS, KeyWatch
from helproom.jobs.schedule import Job
from helproom.parts.parts import Parts
from mail.workers.recheck import Rechecker


def wire(parts: Parts) -> Feature:
    """Return what opens letters again, pins identities, and tells of keys that end."""
    desk = parts.desk
    watch = KeyWatch(parts.place, desk.keyring, desk.executor)
    return Feature(
        carriers={
            **PinSenders(parts.place, parts.matrix.trust).table(),
            RECHECK: Rechecker(parts.place, desk.opener),
        },
        jobs=(Job("watch keys", watch.look, KEY_CHECK_SECONDS),),
    )
