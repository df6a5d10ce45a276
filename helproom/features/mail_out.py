# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail that leaves."""

from desk.replies.mail import MAIL
from helproom.features.feature import Feature, Task
from helproom.parts.parts import Parts
from mail.outbound.sender import MailSender, learn_server


def wire(parts: Parts) -> Feature:
    """Return what hands answers to the submission server. Raises SecretUnusable."""
    desk = parts.desk
    submission = parts.settings.mail.submission.to_mail()

    async def learn() -> None:
        await learn_server(desk.units, submission)

    return Feature(
        carriers={MAIL: MailSender(parts.place, desk.keyring, desk.executor, submission)},
        tasks=(Task("learn what the submission server can do", learn),),
    )
