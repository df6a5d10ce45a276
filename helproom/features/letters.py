# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters that are opened once more to be looked at: those in quarantine, and files that users sent."""

from bot.carriers.received_files import FileShower
from desk.quarantine.letters import SHOW
from helproom.features.feature import Feature
from helproom.parts.parts import Parts
from mail.workers.quarantine import QuarantineReader
from mail.workers.received_files import FileReader


def wire(parts: Parts) -> Feature:
    """Return what shows letters and files in rooms."""
    matrix = parts.matrix
    files = FileReader(parts.desk.units, parts.desk.opener)
    return Feature(
        carriers={
            **FileShower(parts.place, matrix.sender, matrix.room_senders, files).table(),
            SHOW: QuarantineReader(parts.place, parts.desk.opener),
        }
    )
