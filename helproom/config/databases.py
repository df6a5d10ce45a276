# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which database: its URL in the config, and the URL with the password that storage opens."""

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

FILE = "helproom.db"
_EXAMPLES = "sqlite:////var/lib/helproom/helproom.db or postgresql://helproom@localhost/helproom"


def check_database(value: Any, folder: Path) -> str:
    """Return the URL with an absolute path for SQLite. Raises ValueError with a sentence."""
    if not isinstance(value, str):
        raise ValueError(f"A database URL is expected, such as {_EXAMPLES}.")  # noqa: TRY004 - for pydantic
    parts = urlsplit(value)
    if parts.password is not None:
        raise ValueError("No password may stand here: put it into a file, named in database_password_file.")
    if parts.scheme == "sqlite" and not parts.netloc and parts.path.strip("/"):
        return sqlite_url(folder / parts.path.removeprefix("/"))
    if parts.scheme == "postgresql" and parts.path.strip("/"):
        return value
    raise ValueError(f"A database URL is expected, such as {_EXAMPLES}.")


def sqlite_url(file: Path) -> str:
    """Return the URL of a database file."""
    return f"sqlite:///{file.absolute()}"


def with_password(url: str, password: str) -> str:
    """Return the URL with this password in it, to be shown to nobody."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        raise ValueError("a password needs a user in the URL")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def file_of(url: str) -> Path | None:
    """Return the file of an SQLite database; None for PostgreSQL."""
    parts = urlsplit(url)
    return Path(parts.path.removeprefix("/")) if parts.scheme == "sqlite" else None
