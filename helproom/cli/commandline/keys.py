# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom keys`: OpenPGP keys of contacts and queues."""

import argparse
import re
from pathlib import Path

from helproom.cli.commandline.subcommand import Subcommand, argument

_BARE_ADDRESS = re.compile(r'[^\s@<>()",;:]+@[^\s@<>()",;:]+')


def bare_address(word: str) -> str:
    """Return an address without a name; raises ArgumentTypeError.

    With a name around it, it would be another one, under which nobody's key is looked for.
    """
    address = word.strip()
    if not _BARE_ADDRESS.fullmatch(address):
        raise argparse.ArgumentTypeError("a mail address alone is expected, such as kim@example.net")
    return address


KEYS = Subcommand(
    "keys",
    "OpenPGP keys of contacts and queues",
    "cli.keys:list_keys",
    actions=(
        Subcommand(
            "import",
            "Store a contact's public key, or a secret one for a queue",
            "cli.keys:import_key",
            (
                argument("file", type=Path, help="a file with one key"),
                argument(
                    "--address", type=bare_address, help="the contact's mail address; none for a secret key"
                ),
            ),
        ),
        Subcommand(
            "list",
            "Show the desk's keys, or a contact's",
            "cli.keys:list_keys",
            (
                argument(
                    "--address", type=bare_address, help="show what is known of this contact's keys, too"
                ),
            ),
        ),
        Subcommand(
            "forget",
            "Delete a contact's public keys",
            "cli.keys:forget_keys",
            (
                argument("fingerprint", nargs="*", help="of one key, or its last 8 digits (default: all)"),
                argument("--address", type=bare_address, required=True, help="the contact's mail address"),
            ),
        ),
        Subcommand(
            "export",
            "Write the queues' public keys",
            "cli.queue_keys:export_key",
            (argument("queue", nargs="?", help="the name of one queue (default: all)"),),
        ),
        Subcommand("check", "Try the queues' keys and say what to mend", "cli.queue_keys:check_keys"),
        Subcommand(
            "expire",
            "Let a queue's key live for a period from now",
            "cli.queue_keys:extend_key",
            (
                argument("key", help="the queue's name, or the key's fingerprint"),
                argument("period", help="how long from now on: 2y, 18m, 26w or 90d; 20y at most"),
            ),
        ),
    ),
)
