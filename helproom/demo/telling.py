# SPDX-License-Identifier: AGPL-3.0-or-later
"""The narrator of the demo: says in the terminal what happens, as it happens."""

import re

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

INTRODUCTION = (
    "Helproom is a help desk that lives in encrypted Matrix rooms. People write mail to the desk, encrypted "
    "or not. The team reads and answers it in its chat and touches neither mail nor keys. Answers leave "
    "as mail, encrypted to the user where there is a key. Neither the chat's server nor the desk's database "
    "holds a readable word of it.\n\n"
    "What you see now is the real thing, on this machine alone: real programs, invented people, throw-away "
    "keys. Mail is framed in yellow, what agents say in green, and what Helproom says in blue."
)

_STYLES = {"helproom": "cyan", "mail": "yellow", "agent": "green"}
_WIDTH = 110
_KEY_BLOCK = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----.*?-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL
)
_AUTOCRYPT = re.compile(r"(?<=keydata=)(\n [^\n]+)+")


class Narrator:
    """Writes to one console; whatever others wrote is shown as mere characters."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._steps = 0

    def introduce(self) -> None:
        """Say what Helproom is."""
        self.console.print(
            Panel(Text(INTRODUCTION), title="Helproom", border_style="bold cyan", width=_WIDTH)
        )

    def step(self, title: str) -> None:
        """Begin a numbered step."""
        self._steps += 1
        self.console.print()
        self.console.rule(Text(f"{self._steps}. {title}", style="bold"), align="left")

    def tell(self, text: str) -> None:
        """Say what happens or what it means."""
        self.console.print(Text(text))

    def as_it_is(self, text: str) -> None:
        """Say something without breaking lines, so that they can be copied at any width of the terminal."""
        self.console.print(Text(text), soft_wrap=True)

    def starting(self, what: str) -> None:
        """Say what is being started."""
        self.console.print(Text(f"  • {what}", style="dim"))

    def in_room(self, speaker: str, text: str, *, where: str = "in the ticket's thread") -> None:
        """Show what somebody says in a room; what stands in a thread is indented."""
        style = _STYLES["helproom" if speaker == "Helproom" else "agent"]
        depth = 4 if "thread" in where else 0
        panel = Panel(
            Text(_KEY_BLOCK.sub("(here a public key)", text)),
            title=f"{speaker}, {where}",
            title_align="left",
            border_style=style,
        )
        self.console.print(Padding(panel, (0, 0, 0, depth)), width=_WIDTH)

    def mail(self, title: str, text: str) -> None:
        """Show a piece of mail."""
        panel = Panel(Text(text), title=title, title_align="left", border_style=_STYLES["mail"], width=_WIDTH)
        self.console.print(panel)


def head_of(mail: bytes, lines: int) -> str:
    """The first lines of a mail as a server on its way reads them, without what is long and dull."""
    text = mail.decode("ascii", "replace").replace("\r\n", "\n")
    shown = _AUTOCRYPT.sub(" (here the desk's public key)", text).split("\n")
    cut = [line if len(line) <= _WIDTH - 6 else f"{line[: _WIDTH - 7]}…" for line in shown[:lines]]
    missing = len(shown) - len(cut)
    return "\n".join([*cut, f"… ({missing} more lines)"] if missing else cut)
