# SPDX-License-Identifier: AGPL-3.0-or-later
"""The narrator of the demo: says in the terminal what happens, as it happens."""

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

INTRODUCTION = """\
Helproom is a help desk that lives in encrypted Matrix rooms. People write mail to the desk, encrypted or
not; the team reads and answers it in its chat, without touching mail or keys; the answers leave as mail,
encrypted to the user where there is a key. Neither the chat's server nor the desk's database can read along.

What you see now is the real thing on this machine alone: real programs, invented people, throw-away keys."""

_STYLES = {"helproom": "cyan", "mail": "yellow", "agent": "green"}
_WIDTH = 110


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

    def starting(self, what: str) -> None:
        """Say what is being started."""
        self.console.print(Text(f"  • {what}", style="dim"))

    def in_room(self, speaker: str, text: str, *, where: str = "in the ticket's thread") -> None:
        """Show what somebody says in a room."""
        style = _STYLES["helproom" if speaker == "Helproom" else "agent"]
        depth = 4 if "thread" in where else 0
        panel = Panel(Text(text), title=f"{speaker}, {where}", title_align="left", border_style=style)
        self.console.print(Padding(panel, (0, 0, 0, depth)), width=_WIDTH)

    def mail(self, title: str, text: str) -> None:
        """Show a piece of mail."""
        panel = Panel(Text(text), title=title, title_align="left", border_style=_STYLES["mail"], width=_WIDTH)
        self.console.print(panel)


def head_of(mail: bytes, lines: int) -> str:
    """The first lines of a mail as a server on its way reads them, long ones cut."""
    shown = mail.decode("ascii", "replace").replace("\r\n", "\n").split("\n")
    cut = [line if len(line) <= _WIDTH - 6 else f"{line[: _WIDTH - 7]}…" for line in shown[:lines]]
    return "\n".join([*cut, f"… ({len(shown) - lines} more lines)"])
