# SPDX-License-Identifier: AGPL-3.0-or-later
"""The console script: reads the command line and hands over; each command imports only what it needs."""

import argparse
import os
import re
import resource
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

_EPILOG = "The config is the first of: --config, $HELPROOM_CONFIG, ./config.yaml, /etc/helproom/config.yaml."
_CONFIG_HELP = "the config file"
_BARE_ADDRESS = re.compile(r'[^\s@<>()",;:]+@[^\s@<>()",;:]+')


class _Parser(argparse.ArgumentParser):
    """Ends with the codes of sysexits.h; a mail server that calls `deliver` wrongly must keep its letter."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        is_delivery = self.prog.endswith(" deliver")
        self.exit(os.EX_TEMPFAIL if is_delivery else os.EX_USAGE, f"{self.prog}: {message}\n")


class _Version(argparse.Action):
    """As argparse's own, but the number is looked up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:  # noqa: A002 - argparse's
        super().__init__(option_strings, dest, nargs=0, help=help, default=argparse.SUPPRESS)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Print it and end."""
        number = import_module("importlib.metadata").version("helproom")
        sys.stdout.write(f"helproom {number} (Python {sys.version.partition(' ')[0]})\n")
        parser.exit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    # A core would hold keys and letters in clear.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.work(asked))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return os.EX_IOERR
    except Exception as error:  # noqa: BLE001 - a traceback would show words that are not for the terminal
        code: int = import_module("helproom.cli.exit_codes").report(error)
        return os.EX_TEMPFAIL if asked.command == "deliver" else code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="helproom", description="A help desk in encrypted Matrix rooms.", epilog=_EPILOG)
    parser.add_argument("--config", type=Path, metavar="FILE", help=_CONFIG_HELP)
    parser.add_argument("--version", action=_Version, help="show which Helproom this is, and end")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    families = (_add_keys, _add_pins, _add_inspect)
    for add in (_add_simple, _add_init, _add_check, _add_deliver, _add_demo, *families):
        add(commands)
    return parser


def _command(
    commands: Any, name: str, text: str, work: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=f"{text}.")
    # So that it may stand before and after the command.
    parser.add_argument("--config", type=Path, metavar="FILE", default=argparse.SUPPRESS, help=_CONFIG_HELP)
    parser.set_defaults(work=work)
    return parser


def _add_simple(commands: Any) -> None:
    _command(commands, "run", "Run the help desk until it is told to stop", _in("cli.run", "run"))
    _command(commands, "migrate", "Bring the database to this version's shape", _in("cli.run", "migrate"))


def _add_init(commands: Any) -> None:
    parser = _command(commands, "init", "Write the first config and keys", _in("cli.init", "init"))
    parser.add_argument("--folder", type=Path, default=Path(), help="where to write (default: here)")
    parser.add_argument("--yes", action="store_true", help="ask nothing; what is not given gets its default")
    parser.add_argument("--domain", help="your mail domain, such as example.org")
    parser.add_argument("--homeserver", help="web address of the bot's homeserver")
    parser.add_argument("--user-id", help="the bot's Matrix user id")
    parser.add_argument("--queue", action="append", metavar="LANGUAGE:ADDRESS", help="one or more")
    parser.add_argument("--role-name", help="the name under which answers leave")
    parser.add_argument("--admin", action="append", metavar="USER_ID", help="who runs it; one or more")
    parser.add_argument("--agent", action="append", metavar="USER_ID", help="who answers; one or more")
    parser.add_argument("--submission", metavar="HOST:PORT", help="the mail server that takes answers")
    parser.add_argument("--submission-user", help="the account there")


def _add_check(commands: Any) -> None:
    parser = _command(commands, "check", "Try every part and say what to mend", _in("cli.check", "check"))
    parser.add_argument("--json", action="store_true", help="one JSON object per line")


def _add_deliver(commands: Any) -> None:
    parser = _command(commands, "deliver", "Keep the letter on standard input", _in("cli.deliver", "deliver"))
    parser.add_argument("--recipient", required=True, help="the address it is for")
    parser.add_argument("--sender", required=True, help="the envelope sender; empty or <> for none")


def _add_demo(commands: Any) -> None:
    parser = _command(
        commands, "demo", "Show a whole help desk on this machine alone", _in("demo.demo", "demo")
    )
    parser.add_argument("--stay", action="store_true", help="keep it running and say how to log in")


def _add_keys(commands: Any) -> None:
    keys = _command(commands, "keys", "OpenPGP keys of contacts and queues", _in("cli.keys", "list_keys"))
    actions = keys.add_subparsers(dest="action", required=True, metavar="ACTION")
    parser = _command(
        actions,
        "import",
        "Store a contact's public key, or a secret one for a queue",
        _in("cli.keys", "import_key"),
    )
    parser.add_argument("file", type=Path, help="a file with one key")
    parser.add_argument(
        "--address", type=_bare_address, help="the contact's mail address; none for a secret key"
    )
    parser = _command(actions, "list", "Show the desk's keys, or a contact's", _in("cli.keys", "list_keys"))
    parser.add_argument(
        "--address", type=_bare_address, help="show what is known of this contact's keys, too"
    )
    parser = _command(actions, "forget", "Delete a contact's public keys", _in("cli.keys", "forget_keys"))
    parser.add_argument("fingerprint", nargs="*", help="of one key, or its last 8 digits (default: all)")
    parser.add_argument("--address", type=_bare_address, required=True, help="the contact's mail address")
    parser = _command(actions, "export", "Write the queues' public keys", _in("cli.queue_keys", "export_key"))
    parser.add_argument("queue", nargs="?", help="the name of one queue (default: all)")
    _command(
        actions, "check", "Try the queues' keys and say what to mend", _in("cli.queue_keys", "check_keys")
    )
    parser = _command(
        actions, "expire", "Let a queue's key live for a period from now", _in("cli.queue_keys", "extend_key")
    )
    parser.add_argument("key", help="the queue's name, or the key's fingerprint")
    parser.add_argument("period", help="how long from now on: 2y, 18m, 26w or 90d; 20y at most")


def _bare_address(word: str) -> str:
    """With a name around it, an address would be another one, under which nobody's key is looked for."""
    address = word.strip()
    if not _BARE_ADDRESS.fullmatch(address):
        raise argparse.ArgumentTypeError("a mail address alone is expected, such as kim@example.net")
    return address


def _add_inspect(commands: Any) -> None:
    parser = _command(
        commands, "inspect-mail", "Say what Helproom makes of a mail", _in("cli.inspect_mail", "inspect_mail")
    )
    parser.add_argument("file", metavar="FILE", help="a mail as it came; - for standard input")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument(
        "--gnupghome", type=Path, metavar="DIR", help="whose keys to use (default: your own); it is only read"
    )
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="the passphrase of these keys")


def _add_pins(commands: Any) -> None:
    pins = _command(commands, "pins", "Matrix identities of the rooms' members", _in("cli.pins", "list_pins"))
    actions = pins.add_subparsers(dest="action", required=True, metavar="ACTION")
    _command(
        actions, "list", "Show whose identity is known, and whose has changed", _in("cli.pins", "list_pins")
    )
    parser = _command(actions, "accept", "Accept a changed identity", _in("cli.pins", "accept_pin"))
    parser.add_argument("user", metavar="USER_ID", help="whose; you have made sure that it is theirs")
    parser = _command(actions, "drop", "Forget an identity: the next one counts", _in("cli.pins", "drop_pin"))
    parser.add_argument("user", metavar="USER_ID", help="whose")


def _in(module: str, function: str) -> Callable[[argparse.Namespace], int]:
    def work(asked: argparse.Namespace) -> int:
        chosen: Callable[[argparse.Namespace], int] = getattr(import_module(f"helproom.{module}"), function)
        return chosen(asked)

    return work


if __name__ == "__main__":
    sys.exit(main())
