# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whom most tests of mail need."""

from collections.abc import Iterator

import pytest

from tests.mail.people import Person, person


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """A user with a key of her own."""
    with person("alice@user.example", tmp_path_factory.mktemp("keys") / "alice") as made:
        yield made
