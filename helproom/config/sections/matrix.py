# SPDX-License-Identifier: AGPL-3.0-or-later
"""The bot's account."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, StrictBool, model_validator

from helproom.config.sections.section import Line, Section
from helproom.config.values import PathOf, SecretFile, UserId, WebAddress

if TYPE_CHECKING:
    from bot.identity.session import BotAccount, Credential
    from bot.identity.trust import TrustPolicy


class MatrixSection(Section):
    """The bot's account."""

    homeserver: WebAddress = Field(description="the web address of the bot's homeserver")
    user_id: UserId = Field(description="the bot's own Matrix user id")
    password_file: SecretFile | None = None
    access_token_file: SecretFile | None = None
    admin_token_file: SecretFile | None = None
    room_version: Line = "11"
    share_keys_with: Literal["signed", "all"] = "signed"
    federate: StrictBool = True
    ca_file: PathOf | None = None

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        if self.password_file is None and self.access_token_file is None:
            raise ValueError("The bot needs a way to log in: give password_file or access_token_file.")
        return self

    def account(self, folder: Path) -> "BotAccount":
        """Return whose Matrix session it is; it is kept in `folder`."""
        from bot.identity.session import BotAccount  # noqa: PLC0415

        return BotAccount(self.homeserver, self.user_id, folder, ca_file=self.ca_file)

    def credential(self) -> "Credential":
        """Return the bot's way in. Raises SecretUnusable."""
        from bot.identity.session import Credential  # noqa: PLC0415

        return Credential(
            password=self.password_file.read_text() if self.password_file else None,
            access_token=self.access_token_file.read_text() if self.access_token_file else None,
        )

    def key_policy(self) -> "TrustPolicy":
        """Return which devices receive room keys."""
        from bot.identity.trust import TrustPolicy  # noqa: PLC0415

        return TrustPolicy(self.share_keys_with)
