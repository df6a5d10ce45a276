# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each crash test needs: the model of a desk, and a nursery of processes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.story import Model, model
from tests.crash.tracing import Nursery, nursery


@dataclass(frozen=True)
class Ground:
    """Where stories take place."""

    model: Model
    nursery: Nursery
    folder: Path


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    """Make the model and the nursery; they go with the test."""
    (tmp_path / "model").mkdir()
    async with model(tmp_path / "model") as of, nursery() as births:
        yield Ground(of, births, tmp_path)
