# SPDX-License-Identifier: AGPL-3.0-or-later
"""Kinds of outbox rows: what is wrong with them is found before anything runs."""

import pytest

from desk.delivery.delivery import Delivery
from desk.kinds import KINDS
from desk.outbox.kinds import Kind, join
from desk.outbox.outcomes import Delivered, OutboxItem, Outcome
from desk.outbox.posts import SAY
from storage.engine.connect import open_engine
from storage.sealing.vault import Vault
from storage.unit import Units
from tests.worlds.desk import Desk

PLACE = Desk(Units(open_engine("sqlite:///never-opened.db"), Vault(b"k" * 32))).place


async def carry(_: OutboxItem) -> Outcome:
    return Delivered()


def test_two_kinds_of_one_name_are_an_error_of_ours() -> None:
    with pytest.raises(TypeError, match=r"one name: \['say'\]"):
        join(SAY, Kind("ping"), Kind("say"))


def test_a_kind_without_a_carrier_is_found_at_the_start() -> None:
    carriers = {kind: carry for kind in KINDS.values() if kind is not SAY}
    with pytest.raises(TypeError, match=r"without a sender.*\['say'\]"):
        Delivery(PLACE, KINDS, carriers)


def test_a_carrier_that_no_row_needs_is_found_at_the_start() -> None:
    carriers = dict.fromkeys([*KINDS.values(), Kind("new")], carry)
    with pytest.raises(TypeError, match=r"\['new'\]"):
        Delivery(PLACE, KINDS, carriers)
