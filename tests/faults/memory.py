# SPDX-License-Identifier: AGPL-3.0-or-later
"""A homeserver that knows all that another one knew."""

from copy import deepcopy

from tests.faults.fakehs import FakeHomeserver

_KNOWN = ("log", "keys", "state", "_tokens", "_done")


def learn_from(pupil: FakeHomeserver, teacher: FakeHomeserver) -> None:
    """Let one homeserver begin with the rooms, keys and logins of another; the other forgets nothing."""
    for name, known in deepcopy({name: getattr(teacher, name) for name in _KNOWN}).items():
        setattr(pupil, name, known)
