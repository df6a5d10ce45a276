# SPDX-License-Identifier: AGPL-3.0-or-later
"""Handing a letter to our own LMTP door as a mail server does (RFC 2033), for the demo."""

import asyncio
import smtplib


async def hand_over(letter: bytes, *, sender: str, recipient: str, port: int) -> None:
    """Deliver one letter at 127.0.0.1; return when the desk has kept it. Raises OSError when it has not."""
    await asyncio.to_thread(_hand_over, letter, sender, recipient, port)


def _hand_over(letter: bytes, sender: str, recipient: str, port: int) -> None:
    with smtplib.LMTP("127.0.0.1", port) as door:
        door.sendmail(sender, [recipient], letter)
