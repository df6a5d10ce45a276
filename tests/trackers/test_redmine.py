# SPDX-License-Identifier: AGPL-3.0-or-later
"""Redmine: the real one, and what answers in its place when something is wrong."""

import asyncio
import os
from functools import partial
from typing import Any

import pytest
import redminelib

from tests.services.redmine import Redmine as RealRedmine
from tests.trackers.older import older
from tests.trackers.scripted import answering, http
from trackers.redmine import Redmine, RedmineAccount
from trackers.tracker import NoSuchIssue, TrackerDown, TrackerRefused, TrackerTrouble
from trackers.wire import LARGEST

KEY = "hunter2" * 5


async def test_an_issue_is_read(redmine: RealRedmine) -> None:
    tracker = Redmine(RedmineAccount(redmine.url, redmine.desk_key, seconds=30))
    issue = await tracker.read(1)
    await tracker.log_in()
    tracker.close()
    assert issue.subject == "Wi-Fi does not work on Broadcom"
    assert (issue.status, issue.closed, issue.target_version) == ("New", False, "Tails_7.1")
    assert issue.url == f"{redmine.url}/issues/1"


async def test_an_issue_without_version_has_none(redmine: RealRedmine) -> None:
    tracker = Redmine(RedmineAccount(redmine.url, redmine.desk_key, seconds=30))
    assert (await tracker.read(3)).target_version is None
    tracker.close()


async def test_an_unknown_issue_is_told(redmine: RealRedmine) -> None:
    tracker = Redmine(RedmineAccount(redmine.url, redmine.desk_key, seconds=30))
    with pytest.raises(NoSuchIssue, match="no such issue"):
        await tracker.read(4711)
    tracker.close()


async def test_an_address_beside_redmine_is_told_at_the_check_and_at_a_link(redmine: RealRedmine) -> None:
    tracker = Redmine(RedmineAccount(f"{redmine.url}/tracker", redmine.desk_key, seconds=30))
    for ask in (tracker.log_in, partial(tracker.read, 1)):
        with pytest.raises(TrackerDown, match="What answers is no Redmine"):
            await ask()
    tracker.close()


async def test_an_issue_that_was_opened_again_is_open_in_a_redmine_of_any_age(redmine: RealRedmine) -> None:
    closed = await asyncio.to_thread(set_status, redmine, 3, "Closed")
    opened = await asyncio.to_thread(set_status, redmine, 3, "New")
    assert closed["closed_on"] == opened["closed_on"]
    with older(redmine) as url:
        for base in (redmine.url, url):
            tracker = Redmine(RedmineAccount(base, redmine.desk_key, seconds=30))
            assert (await tracker.read(3)).closed is False
            tracker.close()


async def test_a_closed_issue_is_closed_in_a_redmine_of_any_age(redmine: RealRedmine) -> None:
    await asyncio.to_thread(set_status, redmine, 2, "Closed")
    with older(redmine) as url:
        for base in (redmine.url, url):
            tracker = Redmine(RedmineAccount(base, redmine.desk_key, seconds=30))
            assert (await tracker.read(2)).closed is True
            tracker.close()
    await asyncio.to_thread(set_status, redmine, 2, "New")


def set_status(redmine: RealRedmine, issue: int, status: str) -> dict[str, Any]:
    """Give an issue another status; return it as it is then."""
    admin = redminelib.Redmine(redmine.url, key=redmine.admin_key)
    status_id = next(each.id for each in admin.issue_status.all() if each.name == status)
    admin.issue.update(issue, status_id=status_id)
    return dict(admin.issue.get(issue).raw())


async def test_a_wrong_key_is_refused(redmine: RealRedmine) -> None:
    tracker = Redmine(RedmineAccount(redmine.url, KEY, seconds=30))
    with pytest.raises(TrackerRefused, match="API key"):
        await tracker.log_in()
    tracker.close()


async def asked(answer: bytes | None, *, seconds: float = 5.0) -> TrackerTrouble:
    """Read an issue from a server that answers so; return the trouble, which holds no secret."""
    with answering(answer) as server:
        tracker = Redmine(RedmineAccount(server.url, KEY, seconds=seconds))
        with pytest.raises(TrackerTrouble) as caught:
            await tracker.read(1)
        tracker.close()
    assert "hunter2" not in str(caught.value)
    return caught.value


JSON = "Content-Type: application/json"
ODD = [
    (http("200 OK", b"<html>Welcome"), TrackerDown, "no Redmine"),
    (http("401 Unauthorized", b""), TrackerRefused, "API key"),
    (http("403 Forbidden", b""), TrackerRefused, "lacks the right"),
    (http("404 Not Found", b""), TrackerDown, "no Redmine"),
    (http("409 Conflict", b"{}"), TrackerDown, "two changes met (HTTP 409)"),
    (http("412 Precondition Failed", b""), TrackerDown, "condition of the request not met (HTTP 412)"),
    (http("413 Too Large", b""), TrackerDown, "not with what was asked"),
    (http("422 Unprocessable", b"{}"), TrackerDown, "finds fault with the request (HTTP 422)"),
    (http("422 Unprocessable", b'{"errors": ["hunter2"]}'), TrackerDown, "(HTTP 422)"),
    (http("422 Unprocessable", b"<html>"), TrackerDown, "(HTTP 422)"),
    (http("500 Oh", b"<html>hunter2"), TrackerDown, "error of its own"),
    (http("503 Oh", b""), TrackerDown, "HTTP 503"),
    (http("302 Found", b"", "Location: /login"), TrackerDown, "another address"),
    (http("200 OK", b"{}", JSON), TrackerDown, "not with what was asked"),
    (http("200 OK", b"[]", JSON), TrackerDown, "not with what was asked"),
    (http("200 OK", b"null", JSON), TrackerDown, "not with what was asked"),
    (http("200 OK", b'{"issue": {"subject": 3, "status": {}}}', JSON), TrackerDown, "not with what"),
    (http("200 OK", b'{"issue": {"subject": "a", "status": "New"}}', JSON), TrackerDown, "not with what"),
    (http("200 OK", b'{"issue": ' + b"[" * 100_000, JSON), TrackerDown, "Redmine"),
    (http("200 OK", b" " * (LARGEST + 100_000), JSON), TrackerDown, "too large"),
    (b"SSH-2.0-nothing\r\n", TrackerDown, "does not answer"),
    (b"", TrackerDown, "does not answer"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), ODD)
async def test_odd_answers_become_sentences(answer: bytes, kind: type[TrackerTrouble], words: str) -> None:
    trouble = await asked(answer)
    assert type(trouble) is kind
    assert words in str(trouble)


async def test_silence_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    trouble = await asked(None, seconds=0.3)
    assert isinstance(trouble, TrackerDown)
    assert str(trouble) == "Redmine does not answer."


async def test_a_key_does_not_follow_to_another_server() -> None:
    with answering(http("200 OK", b"{}")) as stranger:
        await asked(http("302 Found", b"", f"Location: {stranger.url}/issues/1.json"))
        assert stranger.heard == []


async def test_nothing_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(http("200 OK", b"{}")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        await asked(http("503 Oh", b""))
        assert proxy.heard == []
    assert os.environ["http_proxy"] == proxy.url


async def test_nobody_there_is_told() -> None:
    with answering(b"") as server:
        url = server.url
    tracker = Redmine(RedmineAccount(url, KEY))
    with pytest.raises(TrackerDown, match="does not answer"):
        await tracker.read(1)
    tracker.close()


def test_the_key_is_not_in_the_accounts_words() -> None:
    assert "hunter2" not in repr(RedmineAccount("http://127.0.0.1", KEY))
