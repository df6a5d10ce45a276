# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server that takes our answers."""

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from helproom.config.sections.section import Line, Port, Section
from helproom.config.values import PathOf, SecretFile, is_loopback

if TYPE_CHECKING:
    from mail.outbound.submission import SubmissionSettings


class SubmissionSection(Section):
    """The server that takes our answers."""

    host: Line = Field(description="the name of the mail server that takes answers")
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: Line | None = None
    password_file: SecretFile | None = None
    ca_file: PathOf | None = None

    @model_validator(mode="after")
    def _keeps_secrets(self) -> Self:
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError("security: none is only for a mail server on this machine: use starttls or tls.")
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file go together: give both or neither.")
        return self

    def to_mail(self) -> "SubmissionSettings":
        """Return how answers are handed over. Raises SecretUnusable."""
        from mail.outbound.submission import SubmissionSettings  # noqa: PLC0415

        return SubmissionSettings(
            host=self.host,
            port=self.port,
            security="loopback-plain" if self.security == "none" else self.security,
            user=self.user,
            password=self.password_file.read_text() if self.password_file else None,
            ca_file=self.ca_file,
        )
