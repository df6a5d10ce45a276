# SPDX-License-Identifier: AGPL-3.0-or-later
"""How many letters are taken in."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from desk.config import Rate, Relay
from helproom.config.sections.section import Section
from helproom.config.values import Address
from mail.whisperback.report import NOBODIES


class RateSection(Section):
    """How many letters are taken in within an hour."""

    per_sender: Annotated[int, Field(ge=1, strict=True)] = 20
    per_crowd: Annotated[int, Field(ge=1, strict=True)] = 100
    in_all: Annotated[int, Field(ge=1, strict=True)] = 500
    exempt: tuple[Address, ...] = ()

    def to_desk(self, relays: Iterable[Relay]) -> Rate:
        """Return the rate as the desk knows it; behind each relay is a crowd."""
        # What a list relays comes from one address, whoever wrote it, and so do all WhisperBack reports.
        crowds = (each.address.replace("@", f"{end}@") for each in relays for end in ("", "-bounce"))
        return Rate(
            per_sender=self.per_sender,
            in_all=self.in_all,
            exempt=tuple(sorted(each.lower() for each in self.exempt)),
            per_crowd=self.per_crowd,
            crowds=tuple(sorted({*crowds, *NOBODIES})),
        )
