# SPDX-License-Identifier: AGPL-3.0-or-later
"""Display names and avatars, as a homeserver keeps them."""

from typing import Any

from aiohttp import web


class Profiles:
    """What each user is called."""

    def __init__(self) -> None:
        self._of: dict[str, dict[str, Any]] = {}

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a question for a profile, or take a part of it."""
        profile = self._of.setdefault(request.match_info["user"], {})
        if request.method == "PUT":
            profile.update(await request.json())
            return web.json_response({})
        return web.json_response(profile)
