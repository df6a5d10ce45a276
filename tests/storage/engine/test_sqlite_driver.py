# SPDX-License-Identifier: AGPL-3.0-or-later
"""SQLite's connection in its thread."""

import gc
import sqlite3
from functools import partial

from storage.engine import sqlite_driver


async def test_a_connection_that_is_dropped_unclosed_ends_its_thread_without_a_warning() -> None:
    connection = await sqlite_driver.connect(partial(sqlite3.connect, ":memory:"))
    thread = connection._thread
    del connection
    gc.collect()
    thread.join(timeout=10)
    assert not thread.is_alive()
