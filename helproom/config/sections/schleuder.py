# SPDX-License-Identifier: AGPL-3.0-or-later
"""Schleuder lists."""

from pydantic import Field

from desk.config import Relay
from helproom.config.sections.section import Section
from helproom.config.values import Address, Fingerprint


class SchleuderSection(Section):
    """A Schleuder list that relays letters to the desk."""

    address: Address = Field(description="the list's mail address")
    fingerprint: Fingerprint = Field(description="the fingerprint of the list's OpenPGP key")

    def to_desk(self) -> Relay:
        """Return the list as the desk knows it."""
        return Relay(self.address.lower(), self.fingerprint)
