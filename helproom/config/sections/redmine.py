# SPDX-License-Identifier: AGPL-3.0-or-later
"""The issue tracker."""

from typing import TYPE_CHECKING

from pydantic import Field

from helproom.config.sections.section import Section
from helproom.config.values import PathOf, SecretFile, WebAddress

if TYPE_CHECKING:
    from trackers.redmine import Redmine


class RedmineSection(Section):
    """The issue tracker."""

    url: WebAddress = Field(description="the web address of Redmine")
    api_key_file: SecretFile = Field(description="the file with the API key of Helproom's Redmine account")
    ca_file: PathOf | None = None

    def open_tracker(self) -> "Redmine":
        """Return the issue tracker. Raises SecretUnusable."""
        from trackers.redmine import Redmine, RedmineAccount  # noqa: PLC0415

        return Redmine(RedmineAccount(self.url, self.api_key_file.read_text(), self.ca_file))
