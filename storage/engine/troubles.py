# SPDX-License-Identifier: AGPL-3.0-or-later
"""What may be wrong with a database, in sentences for the sysadmin."""

import os

from sqlalchemy.exc import SQLAlchemyError


class StorageTrouble(Exception):
    """The database cannot be used as it is; the text is a sentence for the sysadmin."""

    exit_code = os.EX_UNAVAILABLE


_TROUBLES = {
    "locked": "The database is locked by another process.",
    "is full": "The disk that holds the database is full.",
    "No space left": "The disk that holds the database is full.",
    "readonly": "The database cannot be written: is its disk mounted read-only?",
    "unable to open": "The database file cannot be opened.",
    "password authentication failed": "The database does not accept the user or the password.",
    "does not exist": "The database server has no database, or no user, of this name.",
}


def trouble_of(error: SQLAlchemyError) -> str:
    """Return a sentence on a database error, without SQL and without values."""
    cause = str(error.__cause__ or error).splitlines()[0] if str(error.__cause__ or error) else ""
    for words, sentence in _TROUBLES.items():
        if words in cause:
            return sentence
    return f"The database does not answer ({type(error.__cause__ or error).__name__})."
