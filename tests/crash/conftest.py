# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each crash test needs: the model of a desk, and a nursery of processes; made once for all of them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from tests.crash.model import Model, model
from tests.crash.tracing import Nursery, nursery


@dataclass(frozen=True)
class Ground:
    """Where stories take place."""

    model: Model
    nursery: Nursery
    folder: Path
    _numbers: "count[int]" = field(default_factory=count)

    def place(self) -> Path:
        """Return a folder that is not there yet."""
        return self.folder / f"{next(self._numbers)}"


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """Make the model and the nursery."""
    folder = tmp_path_factory.mktemp("crash")
    (folder / "model").mkdir()
    async with nursery() as births, model(folder / "model", births) as of:
        yield Ground(of, births, folder)
