# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the files of the migrations are called, on which finding the newest one relies."""

import subprocess
import sys

from alembic.config import Config
from alembic.script import ScriptDirectory

from storage.migrating import revisions
from storage.upgrading import FOLDER


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
