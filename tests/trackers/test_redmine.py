# SPDX-License-Identifier: AGPL-3.0-or-later
"""Redmine: the real one, and what answers in its place when something is wrong."""

import os

import pytest

from tests.services.redmine import Redmine as RealRedmine
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
        assert len(server.heard) == 1
    assert "hunter2" not in str(caught.value)
    return caught.value


JSON = "Content-Type: application/json"
ODD = [
    (http("200 OK", b"<html>Welcome"), TrackerDown, "no Redmine"),
    (http("401 Unauthorized", b""), TrackerRefused, "API key"),
    (http("403 Forbidden", b""), TrackerRefused, "lacks the right"),
    (http("404 Not Found", b""), NoSuchIssue, "no such issue"),
    (http("422 Unprocessable", b"{}"), TrackerDown, "not with what was asked"),
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
