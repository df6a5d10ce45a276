# SPDX-License-Identifier: AGPL-3.0-or-later
"""nio's key store, which waits for a disk that is full or read-only instead of ending the process."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import peewee
from nio import AsyncClient
from nio.crypto import OlmDevice
from nio.store import DefaultStore
from nio.store.database import SqliteDatabase

from bot.errors import KeyStoreTrouble

_SENTENCE = "The bot's key store cannot be written: is the disk full, or mounted read-only?"


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (peewee.OperationalError, OSError) as error:
        raise KeyStoreTrouble(_SENTENCE) from error


class _Database(SqliteDatabase):  # type: ignore[misc]
    def execute_sql(self, *args: Any, **options: Any) -> Any:
        with _told():
            return super().execute_sql(*args, **options)

    def commit(self) -> Any:
        with _told():
            return super().commit()


class Store(DefaultStore):  # type: ignore[misc]
    """What nio keeps on disk. Raises KeyStoreTrouble where the disk does not take it."""

    def _create_database(self) -> _Database:
        return _Database(self.database_path, pragmas={"foreign_keys": 1, "secure_delete": 1})

    def reopen_marks(self) -> None:
        """Read again which devices are marked how, as the files have it."""
        for name in ("trust_db", "blacklist_db", "ignore_db"):
            before = getattr(self, name)
            setattr(self, name, type(before)(before._filename))  # noqa: SLF001  (nio names it nowhere else)

    def blacklist_device(self, device: OlmDevice) -> bool:
        return self._marked(super().blacklist_device, device)

    def verify_device(self, device: OlmDevice) -> bool:
        return self._marked(super().verify_device, device)

    def ignore_device(self, device: OlmDevice) -> bool:
        return self._marked(super().ignore_device, device)

    def _marked(self, mark: Callable[[OlmDevice], bool], device: OlmDevice) -> bool:
        with _told():
            return mark(device)


@contextlib.contextmanager
def as_on_disk(client: AsyncClient) -> Iterator[None]:
    """After a write that failed, go on with what is on disk: nio changes its memory first.

    Else a message that brought a key would open no second time, since its session has moved on in memory.
    """
    try:
        yield
    except KeyStoreTrouble:
        _reload(client)
        raise


def _reload(client: AsyncClient) -> None:
    olm = client.olm
    client.store.reopen_marks()
    olm.account = client.store.load_account()
    olm.load()
    own = olm.account.identity_keys["curve25519"]
    # Our own copy of a room's key is needed to know our events again.
    for room_id, session in tuple(olm.outbound_group_sessions.items()):
        if olm.inbound_group_store.get(room_id, own, session.id) is None:
            del olm.outbound_group_sessions[room_id]
