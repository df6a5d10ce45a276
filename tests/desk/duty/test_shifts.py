# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is on duty follows the wall clock of the shift's own zone."""

import datetime as dt
from typing import Any

import pytest

from desk.config import Shift
from desk.duty.rota import on_duty
from tests.worlds.desk import ANA, BEN

WEEK, SUNDAY, SATURDAY = frozenset(range(7)), frozenset({6}), frozenset({5})


def shift(zone: str, start: str, end: str, **facts: Any) -> Shift:
    usual = {"user_id": ANA, "weekdays": WEEK}
    return Shift(
        start=dt.time.fromisoformat(start), end=dt.time.fromisoformat(end), zone=zone, **{**usual, **facts}
    )


def at(utc: str) -> dt.datetime:
    return dt.datetime.fromisoformat(utc).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("zone", "utc", "on"),
    [
        # Europe/Paris: UTC+1 until 2026-03-29, then UTC+2 until 2026-10-25.
        ("Europe/Paris", "2026-03-28 07:59", False),
        ("Europe/Paris", "2026-03-28 08:00", True),
        ("Europe/Paris", "2026-03-28 16:59", True),
        ("Europe/Paris", "2026-03-28 17:00", False),
        ("Europe/Paris", "2026-03-29 06:59", False),
        ("Europe/Paris", "2026-03-29 07:00", True),
        ("Europe/Paris", "2026-03-29 16:00", False),
        ("Europe/Paris", "2026-10-25 07:59", False),
        ("Europe/Paris", "2026-10-25 08:00", True),
        # America/New_York: UTC-5 until 2026-03-08, then UTC-4 until 2026-11-01.
        ("America/New_York", "2026-03-07 14:00", True),
        ("America/New_York", "2026-03-07 13:59", False),
        ("America/New_York", "2026-03-08 13:00", True),
        ("America/New_York", "2026-11-01 13:59", False),
        ("America/New_York", "2026-11-01 14:00", True),
        # Australia/Lord_Howe: half an hour of summer time; UTC+11 until 2026-04-05, then UTC+10:30.
        ("Australia/Lord_Howe", "2026-04-03 22:00", True),
        ("Australia/Lord_Howe", "2026-04-03 21:59", False),
        ("Australia/Lord_Howe", "2026-04-05 22:29", False),
        ("Australia/Lord_Howe", "2026-04-05 22:30", True),
    ],
)
def test_nine_to_six_is_local_time_before_and_after_the_clocks_change(zone: str, utc: str, *, on: bool):
    assert on_duty([shift(zone, "09:00", "18:00")], "en", at(utc)) == ((ANA,) if on else ())


@pytest.mark.parametrize(
    ("utc", "on"),
    [
        ("2026-03-28 20:59", False),
        ("2026-03-28 21:00", True),  # Saturday 22:00
        ("2026-03-29 00:30", True),  # Sunday 01:30
        ("2026-03-29 01:30", True),  # Sunday 03:30: 02:00 to 03:00 did not happen
        ("2026-03-29 03:59", True),  # Sunday 05:59
        ("2026-03-29 04:00", False),
        ("2026-03-29 20:30", False),  # Sunday 22:30: not on this weekday
        ("2026-03-28 03:00", False),  # Saturday 04:00 belongs to Friday night
    ],
)
def test_a_night_shift_belongs_to_the_day_it_starts_on(utc: str, *, on: bool):
    night = shift("Europe/Paris", "22:00", "06:00", weekdays=SATURDAY)
    assert on_duty([night], "en", at(utc)) == ((ANA,) if on else ())


def test_from_sunday_night_into_monday():
    night = shift("UTC", "22:00", "06:00", weekdays=SUNDAY)
    assert on_duty([night], "en", at("2026-03-02 05:59")) == (ANA,)
    assert on_duty([night], "en", at("2026-03-03 05:59")) == ()


def test_same_start_and_end_is_a_whole_day():
    day = shift("UTC", "08:00", "08:00", weekdays=SUNDAY)
    assert on_duty([day], "en", at("2026-03-01 08:00")) == (ANA,)
    assert on_duty([day], "en", at("2026-03-02 07:59")) == (ANA,)
    assert on_duty([day], "en", at("2026-03-02 08:00")) == ()
    assert on_duty([day], "en", at("2026-03-01 07:59")) == ()


def test_all_on_duty_for_the_queue_are_named_once_in_order():
    day = ("UTC", "00:00", "23:59")
    shifts = [
        shift(*day, user_id=BEN, queues=frozenset({"en"})),
        shift(*day),
        shift(*day, user_id=BEN),
    ]
    assert on_duty(shifts, "en", at("2026-03-02 12:00")) == (BEN, ANA)
    assert on_duty(shifts, "fr", at("2026-03-02 12:00")) == (ANA, BEN)
