# SPDX-License-Identifier: AGPL-3.0-or-later
"""The desk as a whole: to set it up, try it and run it."""

from pathlib import Path

from helproom.cli.commandline.subcommand import Subcommand, argument

RUN = Subcommand("run", "Run the help desk until it is told to stop", "cli.run:run")
MIGRATE = Subcommand("migrate", "Bring the database to this version's shape", "cli.run:migrate")
INIT = Subcommand(
    "init",
    "Write the first config and keys",
    "cli.init:init",
    (
        argument("--folder", type=Path, default=Path(), help="where to write (default: here)"),
        argument("--yes", action="store_true", help="ask nothing; what is not given gets its default"),
        argument("--domain", help="your mail domain, such as example.org"),
        argument("--homeserver", help="web address of the bot's homeserver"),
        argument("--user-id", help="the bot's Matrix user id"),
        argument("--queue", action="append", metavar="LANGUAGE:ADDRESS", help="one or more"),
        argument("--role-name", help="the name under which answers leave"),
        argument("--admin", action="append", metavar="USER_ID", help="who runs it; one or more"),
        argument("--agent", action="append", metavar="USER_ID", help="who answers; one or more"),
        argument("--submission", metavar="HOST:PORT", help="the mail server that takes answers"),
        argument("--submission-user", help="the account there"),
    ),
)
CHECK = Subcommand(
    "check",
    "Try every part and say what to mend",
    "cli.check:check",
    (argument("--json", action="store_true", help="one JSON object per line"),),
)
DELIVER = Subcommand(
    "deliver",
    "Keep the letter on standard input",
    "cli.deliver:deliver",
    (
        argument("--recipient", required=True, help="the address it is for"),
        argument("--sender", required=True, help="the envelope sender; empty or <> for none"),
    ),
)
DEMO = Subcommand(
    "demo",
    "Show a whole help desk on this machine alone",
    "demo.demo:demo",
    (argument("--stay", action="store_true", help="keep it running and say how to log in"),),
)
SEARCH = Subcommand(
    "search",
    "Find tickets by their words",
    "cli.search:search",
    (
        argument("words", nargs="+", help="as after !search; -- before them where one begins with -"),
        argument("--most", type=int, default=50, help="how many are shown, newest first (default: 50)"),
        argument("--json", action="store_true", help="one JSON object per line"),
    ),
)
INSPECT_MAIL = Subcommand(
    "inspect-mail",
    "Say what Helproom makes of a mail",
    "cli.inspect_mail:inspect_mail",
    (
        argument("file", metavar="FILE", help="a mail as it came; - for standard input"),
        argument("--json", action="store_true", help="one JSON object"),
        argument(
            "--gnupghome",
            type=Path,
            metavar="DIR",
            help="whose keys to use (default: your own); it is only read",
        ),
        argument("--passphrase-file", type=Path, metavar="FILE", help="the passphrase of these keys"),
    ),
)
