# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the files of the migrations are called, and that a step back and forth loses nothing."""

import subprocess
import sys
from collections.abc import Callable

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from desk.intake.recheck import RECHECK
from desk.outbox.posts import put
from storage.migrating import revisions
from storage.queries.letters import IncomingMail
from storage.upgrading import FOLDER
from tests.worlds.desk import USER, desk_at


def test_the_files_names_tell_the_revisions_in_their_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert list(revisions()) == known[::-1]


def test_a_desk_does_not_carry_the_migration_tool_along() -> None:
    code = "import sys, storage.migrating, storage.unit; print('alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


async def test_a_step_back_takes_no_row_along_that_hangs_on_another(database: str) -> None:
    async with desk_at(database) as desk:
        ticket = await desk.ticket()
        async with desk.units() as unit:
            new = IncomingMail("en", USER, None, b"Hello")
            (await unit.messages.get(1)).letter_id = await unit.letters.keep(
                new, ref=desk.world.token(), at=desk.clock.now, source="lmtp"
            )
            await put(desk.work(unit), RECHECK, "lane", ticket=ticket, message=1)
        engine = desk.units.engine
        before = await _counts(engine)
        assert all(before.values())
        async with engine.begin() as connection:
            await connection.run_sync(_step, command.downgrade, "0002")
        assert await _counts(engine) == before
        async with engine.begin() as connection:
            await connection.run_sync(_step, command.upgrade, "head")
        assert await _counts(engine) == before


def _step(connection: Connection, step: Callable[[Config, str], None], to: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    step(config, to)


async def _counts(engine: AsyncEngine) -> dict[str, int]:
    async with engine.connect() as connection:
        return {
            table: (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()
            for table in ("ticket", "letter", "message", "outbox")
        }
