# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom pins`: Matrix identities of the rooms' members."""

from helproom.cli.commandline.subcommand import Subcommand, argument

PINS = Subcommand(
    "pins",
    "Matrix identities of the rooms' members",
    "cli.pins:list_pins",
    actions=(
        Subcommand("list", "Show whose identity is known, and whose has changed", "cli.pins:list_pins"),
        Subcommand(
            "accept",
            "Accept a changed identity",
            "cli.pins:accept_pin",
            (argument("user", metavar="USER_ID", help="whose; you have made sure that it is theirs"),),
        ),
        Subcommand(
            "drop",
            "Forget an identity: the next one counts",
            "cli.pins:drop_pin",
            (argument("user", metavar="USER_ID", help="whose"),),
        ),
    ),
)
