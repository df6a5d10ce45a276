# SPDX-License-Identifier: AGPL-3.0-or-later
"""Redmine, through python-redmine in a thread; whatever it answers becomes an issue or a sentence."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import redminelib
import requests
from redminelib import exceptions

from trackers.tracker import Issue, NoSuchIssue, TrackerDown, TrackerRefused, TrackerTrouble
from trackers.wire import SECONDS, BoundedEngine, TooLong

T = TypeVar("T")

_NO_REDMINE = "What answers is no Redmine: is its address in the config right, and its REST API on?"
_WORDS = {
    exceptions.JSONDecodeError: _NO_REDMINE,
    exceptions.ConflictError: "Redmine answers that two changes met (HTTP 409).",
    exceptions.ImpersonateError: (
        "Redmine finds a condition of the request not met (HTTP 412): does a proxy before it change requests?"
    ),
    exceptions.ValidationError: "Redmine finds fault with the request (HTTP 422).",
    exceptions.ServerError: "Redmine has an error of its own (HTTP 500).",
    requests.exceptions.SSLError: "Redmine's TLS certificate is not trusted.",
    TooLong: "Redmine's answer is too large or takes too long.",
}

_ODD_ANSWER = "Redmine answers, but not with what was asked for."
_THREADS = 2
_LONGEST_TEXT = 500
_NO_KEY = "Redmine does not accept Helproom's API key; whoever runs Helproom can mend that."


@dataclass(frozen=True)
class RedmineAccount:
    """Where Redmine is and who we are there."""

    url: str
    """Base address, without a slash at its end."""
    api_key: str = field(repr=False)
    ca_file: Path | None = None
    seconds: float = SECONDS


class Redmine:
    """The desk's Redmine; to be closed."""

    name = "Redmine"

    def __init__(self, account: RedmineAccount) -> None:
        """Ask nothing yet."""
        self._account = account
        # Threads of our own: a Redmine that hangs must not take those that others wait for.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="redmine")

    def close(self) -> None:
        """Take no more questions."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def read(self, issue: int) -> Issue:
        """Read one issue. Raises NoSuchIssue, TrackerDown or TrackerRefused."""
        return await self._ask(lambda: self._read(issue))

    async def log_in(self) -> None:
        """Ask who we are, to see whether the API key is accepted. Raises TrackerDown or TrackerRefused."""
        await self._ask(self._log_in)

    def _log_in(self) -> None:
        """Raise TrackerDown where there is no such page: each Redmine has it."""
        try:
            _ = self._get("/users/current.json")["user"]["id"]
        except exceptions.ResourceNotFoundError:
            raise TrackerDown(_NO_REDMINE) from None

    async def _ask(self, question: Callable[[], T]) -> T:
        answer = asyncio.get_running_loop().run_in_executor(self._threads, lambda: _answer(question))
        # Looking up a name and the wait for a thread have no limit of their own.
        try:
            return await asyncio.wait_for(answer, 3 * self._account.seconds)
        except TimeoutError:
            raise TrackerDown("Redmine does not answer.") from None

    def _get(self, path: str) -> Any:
        """Read one JSON page; python-redmine's own resources would ask again for fields that are missing."""
        account = self._account
        options = {"ca_file": account.ca_file, "seconds": account.seconds}
        redmine = redminelib.Redmine(account.url, key=account.api_key, engine=BoundedEngine, requests=options)
        with closing(redmine.engine.session):
            return redmine.engine.request("get", f"{account.url}{path}")

    def _read(self, number: int) -> Issue:
        try:
            fields = self._get(f"/issues/{number}.json")["issue"]
        except exceptions.ResourceNotFoundError:
            # With a wrong address in the config, no issue is there.
            self._log_in()
            raise
        status = fields["status"]
        return Issue(
            number=number,
            subject=_text(fields["subject"]),
            status=_text(status["name"]),
            closed=self._is_closed(status),
            target_version=_text(fields["fixed_version"]["name"]) if fields.get("fixed_version") else None,
            url=f"{self._account.url}/issues/{number}",
        )

    def _is_closed(self, status: dict[str, Any]) -> bool:
        """Whether the status is a closed one, which Redmine before 5.0 does not say with the issue.

        Not by `closed_on`: that stays when an issue is opened again.
        """
        if "is_closed" in status:
            return bool(status["is_closed"])
        known = self._get("/issue_statuses.json")["issue_statuses"]
        return any(bool(each.get("is_closed")) for each in known if each["id"] == status["id"])


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return " ".join(value.split())[:_LONGEST_TEXT]


def _answer(question: Callable[[], T]) -> T:
    """Ask, and turn all that can go wrong into one of our errors."""
    try:
        return question()
    except TrackerTrouble:
        raise
    except exceptions.ResourceNotFoundError:
        raise NoSuchIssue("Redmine has no such issue.") from None
    except exceptions.ForbiddenError:
        raise TrackerRefused("Redmine does not show this to Helproom: its account lacks the right.") from None
    except exceptions.AuthError:
        raise TrackerRefused(_NO_KEY) from None
    except (exceptions.BaseRedmineError, requests.RequestException) as error:
        raise TrackerDown(_why(error)) from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise TrackerDown(_ODD_ANSWER) from None


def _why(error: Exception) -> str:
    if isinstance(error, exceptions.UnknownError):
        if 300 <= error.status_code < 400:  # noqa: PLR2004 - redirects
            return "Redmine sends us to another address: is the one in the config right?"
        return f"Redmine answers with HTTP {error.status_code}."
    words = (words for kind, words in _WORDS.items() if isinstance(error, kind))
    is_answer = isinstance(error, exceptions.BaseRedmineError)
    return next(words, _ODD_ANSWER if is_answer else "Redmine does not answer.")
