# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is kept of a message beside its words: sealed JSON, read and written here alone."""

import json
from typing import Any

from storage.models import Message
from storage.sealing.columns import to_json


def read_details(message: Message) -> dict[str, Any]:
    """Return what is kept; empty when nothing is."""
    found: dict[str, Any] = json.loads(message.details or "{}")
    return found


def add_details(message: Message, **facts: object) -> None:
    """Keep more of a message, in place of what was kept under the same names."""
    message.details = to_json({**read_details(message), **facts})
