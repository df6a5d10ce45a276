# SPDX-License-Identifier: AGPL-3.0-or-later
"""Recipient addresses: which queue, and which reply token stands after the plus."""

from collections.abc import Callable, Mapping


def is_legible(recipient: str) -> bool:
    """Whether it has no control characters, and no bytes that were no UTF-8 (surrogates here).

    In a token such characters would meet a database that does not take them, and be tried again for days.
    """
    return recipient.isprintable()


def split_token(recipient: str) -> tuple[str, str | None]:
    """Split "help+abc@example.org" into the address without the token, lower case, and the token."""
    local, _, domain = recipient.rpartition("@")
    name, plus, token = local.partition("+")
    return f"{name}@{domain}".lower(), token or None if plus else None


def queues_by_address(queues: Mapping[str, str]) -> Callable[[str], str | None]:
    """Make a look-up from the addresses of queues to their names; tokens and case don't matter."""
    known = {address.lower(): queue for address, queue in queues.items()}
    return lambda recipient: known.get(split_token(recipient)[0])
