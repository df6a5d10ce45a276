# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom deliver`: a letter from a mail server's pipe, kept before the exit code says so."""

import argparse
import asyncio
import os
import sys

from desk.world import Refusal
from helproom import logs
from helproom.config import for_desk
from helproom.config.settings import Settings, find_config, read_settings
from helproom.jobs.keeping import keeper
from helproom.startup.masterkey import refuse_other_master_key
from helproom.world import real_world
from mail.addresses import queues_by_address
from mail.inbound import pipe


def deliver(asked: argparse.Namespace) -> int:
    """Keep the letter on standard input: 0 kept, 75 try later, 65 unusable, 67 no such address."""
    if sys.stdin is None:
        raise Refusal("Standard input is closed: it holds no letter.")
    settings = read_settings(find_config(asked.config))
    # A mail server may show what it reads here to the sender, so nothing is said while all is well.
    quiet = "error" if settings.log.level == "error" else "warning"
    logs.set_up(settings.log.model_copy(update={"level": quiet}))
    os.umask(0o077)
    return asyncio.run(_deliver(settings, asked.recipient, asked.sender))


async def _deliver(settings: Settings, recipient: str, sender: str) -> int:
    units = for_desk.open_units(settings)
    try:
        await refuse_other_master_key(units)
        return await pipe.deliver(
            sys.stdin.buffer,
            keeper(units, real_world(), "pipe"),
            queue_of=queues_by_address(for_desk.queue_addresses(settings)),
            recipient=recipient,
            mail_from=sender,
        )
    finally:
        await units.close()
