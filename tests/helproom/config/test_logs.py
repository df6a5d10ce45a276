# SPDX-License-Identifier: AGPL-3.0-or-later
"""Logs hold ids and places, never words."""

import asyncio
import io
import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from helproom import logs
from helproom.config.sections.log import LogSection

MARKER = "ana@example.org wrote hunter2"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the logs write, with the logging of the tests put back afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook, sys.unraisablehook
    stream = io.StringIO()
    logs.set_up(LogSection(level="debug", form="json"), stream)
    yield stream
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    root.handlers[:], root.level, sys.excepthook, sys.unraisablehook = before


def only(stream: io.StringIO) -> dict[str, Any]:
    """The one line, which holds no word of anybody."""
    [line] = stream.getvalue().splitlines()
    assert "hunter2" not in line
    return dict(json.loads(line))


def fail() -> None:
    """Raise an error that holds words and comes of another that does."""
    try:
        dict[str, str]()[MARKER]
    except KeyError as error:
        raise ValueError(MARKER) from error


def test_ids_are_written(written: io.StringIO) -> None:
    structlog.get_logger().info("ticket.opened", ticket=12)
    line = only(written)
    assert (line["event"], line["ticket"], line["level"]) == ("ticket.opened", 12, "info")
    assert line["timestamp"].endswith("Z")


def test_an_exception_is_its_type_and_places_without_its_words(written: io.StringIO) -> None:
    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("broke")
    found = only(written)["exception"]
    assert [error["type"] for error in found] == ["ValueError", "KeyError"]
    assert found[0]["frames"][-1].startswith("test_logs.py:")
    assert found[0]["frames"][-1].endswith(" fail")


def test_exceptions_and_bytes_as_values_lose_their_words(written: io.StringIO) -> None:
    structlog.get_logger().error("broke", error=ValueError(MARKER), raw=MARKER.encode())
    line = only(written)
    assert (line["error"], line["raw"]) == ("ValueError", "29 bytes")


@pytest.mark.parametrize(
    "name", ["nio", "nio.crypto", "mail.errors", "gnupg.x", "aiohttp.access", "sqlalchemy.engine.Engine",
             "apscheduler.scheduler", "peewee", "asyncio"],
)  # fmt: skip
def test_a_library_is_named_without_what_it_said(
    written: io.StringIO, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A session opened by an earlier test has silenced nio for the whole process.
    monkeypatch.setattr(logging.getLogger("nio"), "level", logging.NOTSET)
    logger = logging.getLogger(name)
    logger.manager._clear_cache()  # type: ignore[attr-defined]
    logger.warning("%s", MARKER)
    line = only(written)
    assert (line["event"], line["library"], line["level"]) == ("library", name, "warning")
    assert line["at"].startswith("test_logs.py:")


def test_what_gnupg_warns_of_is_judged_by_ourselves_and_not_told(written: io.StringIO) -> None:
    logging.getLogger("gnupg").warning("gpg returned a non-zero error code: 2")
    assert written.getvalue() == ""
    logging.getLogger("gnupg").error("gpg is gone")
    assert only(written)["library"] == "gnupg"


def test_what_libraries_tell_below_warning_is_dropped(written: io.StringIO) -> None:
    chatty = logging.getLogger("chatty")
    chatty.setLevel(logging.DEBUG)
    chatty.info(MARKER)
    assert not written.getvalue()


def test_a_librarys_exception_keeps_its_places_only(written: io.StringIO) -> None:
    try:
        fail()
    except ValueError:
        logging.getLogger("aiohttp.server").exception(MARKER)
    assert only(written)["exception"][0]["type"] == "ValueError"


def test_warnings_go_the_same_way(written: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn(MARKER, stacklevel=1)
    assert only(written)["library"] == "py.warnings"


def test_an_uncaught_exception_shows_no_words() -> None:
    program = (
        "from helproom import logs\nfrom helproom.config.sections.log import LogSection\n"
        "logs.set_up(LogSection(form='json'))\n"
        f"raise ExceptionGroup('hunter2', [ValueError({MARKER!r})])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "hunter2" not in done.stderr
    assert [error["type"] for error in json.loads(done.stderr)["exception"]] == [
        "ExceptionGroup",
        "ValueError",
    ]


def test_what_a_stop_cancels_is_no_error(written: io.StringIO) -> None:
    cancelled = (asyncio.CancelledError, asyncio.CancelledError(), None)
    logging.getLogger("apscheduler.executors.default").error("Error running job", exc_info=cancelled)
    assert written.getvalue() == ""
    logging.getLogger("apscheduler.executors.default").error("Error running job")
    assert only(written)["event"] == "library"
