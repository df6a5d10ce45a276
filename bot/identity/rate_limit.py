# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lifts the limit that a Synapse sets on how much the bot's account may say, with an admin's token."""

from urllib.parse import quote

from nio import AsyncClient

from bot.errors import MatrixError, Rejected, SessionGone
from bot.http.wire import request
from bot.identity.session import BotAccount

_NONE = {"messages_per_second": 0, "burst_count": 0}


def limit_path(user_id: str) -> str:
    """Return where a Synapse is asked for an account's limit, and told it."""
    return f"/_synapse/admin/v1/users/{quote(user_id, safe='@:')}/override_ratelimit"


async def lift_limit(account: BotAccount, token: str) -> bool:
    """Have the homeserver limit this account no more; False when it did not before.

    Raises MatrixError with a sentence.
    """
    client = AsyncClient(account.homeserver.rstrip("/"), ssl=account.tls)
    client.access_token = token
    try:
        if await request(client, "GET", limit_path(account.user)) == _NONE:
            return False
        await request(client, "POST", limit_path(account.user), _NONE)
    except SessionGone as error:
        raise MatrixError("The homeserver does not know the token in matrix.admin_token_file.") from error
    except Rejected as error:
        raise MatrixError(_why(error.code)) from error
    finally:
        await client.close()
    return True


def _why(code: str) -> str:
    if code == "M_FORBIDDEN":
        return "The token in matrix.admin_token_file is not that of an admin of the homeserver."
    return (
        "The homeserver takes no such order: it is no Synapse, or its admin API is not open at this address."
    )
