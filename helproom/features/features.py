# SPDX-License-Identifier: AGPL-3.0-or-later
"""All features: a new one is a file in this folder, and a line here."""

from collections.abc import Callable

from helproom.features import (
    keys,
    letters,
    mail_in,
    mail_out,
    matrix,
    monitoring,
    replies,
    rooms,
    search,
    trackers,
)
from helproom.features.feature import Feature
from helproom.parts.parts import Parts

FEATURES: tuple[Callable[[Parts], Feature], ...] = (
    matrix.wire,
    mail_in.wire,
    mail_out.wire,
    replies.wire,
    letters.wire,
    rooms.wire,
    keys.wire,
    trackers.wire,
    monitoring.wire,
    search.wire,
)
