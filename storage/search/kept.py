# SPDX-License-Identifier: AGPL-3.0-or-later
"""Searches whose pages can be turned; they are gone with the process, and nothing of them is on disk."""

from collections import OrderedDict
from dataclasses import dataclass

from storage.search.tree import Search

_MOST = 200


@dataclass
class KeptSearch:
    """A search, which page of it is shown, and how many there are; pages are counted from 0."""

    search: Search
    page: int
    pages: int


class KeptSearches:
    """Searches by the outbox row that shows them."""

    def __init__(self) -> None:
        """Nothing is kept yet."""
        self._kept: OrderedDict[int, KeptSearch] = OrderedDict()

    def keep(self, row: int, kept: KeptSearch) -> None:
        """Remember a search, and forget the oldest of too many."""
        self._kept[row] = kept
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)

    def get(self, row: int) -> KeptSearch | None:
        """Return the search that a row shows."""
        return self._kept.get(row)
