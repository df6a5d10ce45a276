# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `helproom init` needs to know: from flags, or asked for one by one."""

import argparse
import os
import re
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.prompt import Prompt

from helproom.config.values import Address, Language, UserId, WebAddress, read_port

_HOST_AND_PORT = re.compile(r"(?P<host>\w[\w.-]*|\[[0-9a-fA-F:.]+\])(?::(?P<port>.*))?", re.ASCII)
_SUBMISSION_PORT = 587
_CONSOLE = Console(stderr=True, highlight=False)


class BadAnswer(Exception):
    """An answer cannot be used; the text is a sentence for the person who gave it."""

    exit_code = os.EX_USAGE


@dataclass(frozen=True)
class QueueAnswer:
    """A language and the address for it."""

    language: str
    address: str


@dataclass(frozen=True)
class Answers:
    """All that the first config holds."""

    homeserver: str
    user_id: str
    queues: tuple[QueueAnswer, ...]
    role_name: str
    admins: tuple[str, ...]
    agents: tuple[str, ...]
    submission_host: str
    submission_port: int
    submission_user: str


def gather(asked: argparse.Namespace) -> Answers:
    """Take what the flags say and ask for the rest, or take defaults with --yes. Raises BadAnswer."""
    if asked.yes and not asked.domain:
        raise BadAnswer("--domain: With --yes nobody is asked for your mail domain: give it.")
    ask = _default if asked.yes else _ask
    domain = asked.domain or ask("Your mail domain", "example.org")
    _checked(Address, f"help@{domain}", "--domain")
    queues = asked.queue or ask("Languages and their addresses", f"en:help@{domain}").split()
    admins = asked.admin or ask("Who runs Helproom (Matrix user ids)", f"@admin:{domain}").split()
    host, port = _host_and_port(asked.submission or ask("Mail server for answers", f"mail.{domain}:587"))
    answers = Answers(
        homeserver=asked.homeserver or ask("The bot's homeserver", f"https://matrix.{domain}"),
        user_id=asked.user_id or ask("The bot's Matrix user id", f"@helproom:{domain}"),
        queues=tuple(_queue(text, domain) for text in queues),
        role_name=asked.role_name or ask("The name under which answers leave", f"{domain} help desk"),
        admins=tuple(admins),
        agents=tuple(asked.agent or ask("Who answers (Matrix user ids)", " ".join(admins)).split()),
        submission_host=host,
        submission_port=port,
        submission_user=asked.submission_user or ask("The account there", f"helproom@{domain}"),
    )
    _check(answers)
    return answers


def _ask(question: str, default: str) -> str:
    try:
        return Prompt.ask(question, default=default, console=_CONSOLE)
    except EOFError:
        raise BadAnswer("There is nobody to ask: give the flags, or --yes for the defaults.") from None


def _default(_question: str, default: str) -> str:
    return default


def _host_and_port(text: str) -> tuple[str, int]:
    """Read "mail.example.org:587"; without a port it is that of submission."""
    found = _HOST_AND_PORT.fullmatch(text.strip())
    said = found["port"] if found else ""
    port = _SUBMISSION_PORT if said is None else read_port(said)
    if found is None or port is None:
        raise BadAnswer("--submission: A mail server and its port are expected: mail.example.org:587.")
    return found["host"].strip("[]"), port


def _queue(text: str, domain: str) -> QueueAnswer:
    language, colon, address = text.partition(":")
    return QueueAnswer(language, address if colon else f"help-{language}@{domain}")


def _check(answers: Answers) -> None:
    _checked(WebAddress, answers.homeserver, "--homeserver")
    for flag, people in (
        ("--user-id", (answers.user_id,)),
        ("--admin", answers.admins),
        ("--agent", answers.agents),
    ):
        for person in people:
            _checked(UserId, person, flag)
    for queue in answers.queues:
        _checked(Language, queue.language, "--queue")
        _checked(Address, queue.address, "--queue")
    if len({queue.language for queue in answers.queues}) < len(answers.queues):
        raise BadAnswer("--queue: Each language can stand there once.")
    if len({queue.address.lower() for queue in answers.queues}) < len(answers.queues):
        raise BadAnswer("--queue: Each queue needs an address of its own: letters find their queue by it.")
    if not re.fullmatch(r"[^\x00-\x1f\x7f\"<>@]{1,200}", answers.role_name):
        raise BadAnswer("--role-name: One line of text is expected, without quotes, < > and @.")


def _checked(kind: Any, value: str, flag: str) -> None:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        sentence = error.errors(include_url=False, include_input=False)[0]["ctx"]["error"]
        raise BadAnswer(f"{flag}: {sentence}") from None
