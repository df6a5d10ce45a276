# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail in and out, and the keys for it."""

import datetime as dt
import re
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from desk.config import IntakeConfig
from desk.intake.matching import partner_pattern
from helproom.config.sections.mail_in import ImapSection, LmtpSection, MaildirSection
from helproom.config.sections.mail_out import SubmissionSection
from helproom.config.sections.rate import RateSection
from helproom.config.sections.schleuder import SchleuderSection
from helproom.config.sections.section import Line, Section, check_pause
from helproom.config.values import Duration, PathOf, SecretFile

if TYPE_CHECKING:
    from mail.openpgp.keyring import Keyring

_LEAST_OF_A_TAG = 2


def _partner_tag(template: str) -> str:
    others = template.replace("{number}", "")
    if template.count("{number}") != 1 or len(re.findall(r"\w", others)) < _LEAST_OF_A_TAG:
        raise ValueError(
            "A partner's tag is their words with {number} in it, once: [rt.example.org #{number}]."
        )
    return template


class MailSection(Section):
    """Mail in and out, and the keys for it."""

    gnupg_home: PathOf = Field(description="the folder with the queues' OpenPGP keys")
    passphrase_file: SecretFile = Field(description="the file with the passphrase of these keys")
    lmtp: LmtpSection | None = LmtpSection()
    imap: tuple[ImapSection, ...] = ()
    maildirs: tuple[MaildirSection, ...] = ()
    silent_after: Annotated[Duration, AfterValidator(check_pause)] = dt.timedelta(minutes=15)
    no_letter_after: Annotated[Duration, AfterValidator(check_pause)] | None = None
    submission: SubmissionSection = Field(description="the section that names the mail server for answers")
    workers: Annotated[int, Field(ge=1, le=32, strict=True)] = 2
    rate: RateSection | None = RateSection()
    schleuder: tuple[SchleuderSection, ...] = ()
    partner_tags: tuple[Annotated[Line, AfterValidator(_partner_tag)], ...] = ()

    def to_desk(self) -> IntakeConfig:
        """Return what the desk has to know of mail that comes in."""
        relays = tuple(each.to_desk() for each in self.schleuder)
        return IntakeConfig(
            rate=self.rate.to_desk(relays) if self.rate is not None else None,
            relays=relays,
            partners=tuple(partner_pattern(each) for each in self.partner_tags),
        )

    def open_keyring(self) -> "Keyring":
        """Return the desk's OpenPGP keys; to be closed. Raises SecretUnusable and KeyringUnusable."""
        from mail.openpgp.keyring import Keyring  # noqa: PLC0415

        return Keyring(self.gnupg_home, passphrase=self.passphrase_file.read_text())
