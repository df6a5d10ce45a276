# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attributes that are plain for the reader and sealed in the row."""

import datetime as dt
import json
from typing import Any, ClassVar, Protocol, Self, overload

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column, object_session

from storage.sealing.vault import DataKey, Vault


class SealedRow(Protocol):
    """A row with a `ref` of its own and a key to seal its personal columns with."""

    __tablename__: str
    ref: Any

    def data_key(self) -> DataKey: ...


class Sealed:
    """A text column that is AES-GCM sealed, bound to its table, column and row; None stays None."""

    def __init__(self, column: str) -> None:
        self._column = column

    def _where(self, row: SealedRow) -> str:
        return f"{row.__tablename__}|{self._column}|{row.ref}"

    @overload
    def __get__(self, row: None, owner: type) -> Self: ...
    @overload
    def __get__(self, row: SealedRow, owner: type) -> str | None: ...
    def __get__(self, row: SealedRow | None, owner: type) -> Self | str | None:
        if row is None:
            return self
        sealed = getattr(row, self._column)
        if sealed is None:
            return None
        return row.data_key().unseal(sealed, where=self._where(row)).decode()

    def __set__(self, row: SealedRow, value: str | None) -> None:
        # "surrogatepass" is not wanted: what cannot be UTF-8 was replaced when the mail was read.
        plain = None if value is None else value.encode("utf-8", "replace")
        sealed = None if plain is None else row.data_key().seal(plain, where=self._where(row))
        setattr(row, self._column, sealed)


class SealedBytes:
    """Like `Sealed`, for bytes."""

    def __init__(self, column: str) -> None:
        self._column = column

    def _where(self, row: SealedRow) -> str:
        return f"{row.__tablename__}|{self._column}|{row.ref}"

    @overload
    def __get__(self, row: None, owner: type) -> Self: ...
    @overload
    def __get__(self, row: SealedRow, owner: type) -> bytes | None: ...
    def __get__(self, row: SealedRow | None, owner: type) -> Self | bytes | None:
        if row is None:
            return self
        sealed = getattr(row, self._column)
        return None if sealed is None else row.data_key().unseal(sealed, where=self._where(row))

    def __set__(self, row: SealedRow, value: bytes | None) -> None:
        sealed = None if value is None else row.data_key().seal(value, where=self._where(row))
        setattr(row, self._column, sealed)


class SealedInstant:
    """Like `Sealed`, for an aware time: to the second, it can be as telling as a name."""

    def __init__(self, column: str) -> None:
        self._text = Sealed(column)

    @overload
    def __get__(self, row: None, owner: type) -> Self: ...
    @overload
    def __get__(self, row: SealedRow, owner: type) -> dt.datetime | None: ...
    def __get__(self, row: SealedRow | None, owner: type) -> Self | dt.datetime | None:
        if row is None:
            return self
        text = self._text.__get__(row, owner)
        return None if text is None else dt.datetime.fromisoformat(text)

    def __set__(self, row: SealedRow, value: dt.datetime | None) -> None:
        self._text.__set__(row, None if value is None else value.astimezone(dt.UTC).isoformat())


class OwnKey:
    """A row that carries its own wrapped data key; destroying that key makes the row unreadable for ever."""

    ref: Mapped[str] = mapped_column(String(64), unique=True)
    wrapped_key: Mapped[bytes | None]
    _data_key: ClassVar[DataKey | None] = None

    def take_new_key(self, vault: Vault) -> None:
        """Give the row its data key; to be called once, before any sealed attribute is set."""
        key, self.wrapped_key = vault.new_key(ref=self.ref)
        self._remember(key)

    def data_key(self) -> DataKey:
        """Return the row's data key; raise LookupError when it was destroyed."""
        if self._data_key is None:
            session = object_session(self)
            if self.wrapped_key is None or session is None:
                raise LookupError(f"the key of {type(self).__name__} {self.ref} is gone")
            vault: Vault = session.info["vault"]
            self._remember(vault.unwrap(self.wrapped_key, ref=self.ref))
        return self._data_key  # type: ignore[return-value]  # set by _remember just above

    def _remember(self, key: DataKey) -> None:
        self.__dict__["_data_key"] = key


def to_json(value: object) -> str:
    """Return compact JSON text for a sealed column."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
