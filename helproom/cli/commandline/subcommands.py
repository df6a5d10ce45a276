# SPDX-License-Identifier: AGPL-3.0-or-later
"""All subcommands: a new one stands in a file of this room, and here."""

from helproom.cli.commandline import desk, keys, pins
from helproom.cli.commandline.subcommand import join

SUBCOMMANDS = join(
    desk.RUN,
    desk.MIGRATE,
    desk.INIT,
    desk.CHECK,
    desk.DELIVER,
    desk.DEMO,
    keys.KEYS,
    pins.PINS,
    desk.SEARCH,
    desk.INSPECT_MAIL,
)
