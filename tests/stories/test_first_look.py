# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the bot's rooms look like, and what `helproom check` and the operators hear of who is in them."""

from pathlib import Path

from bot.http.wire import Json, path, request
from helproom.checks.findings import CheckState, Finding
from helproom.checks.matrix import check_matrix
from helproom.config.settings import read_settings
from tests.services.synapse import Homeserver
from tests.stories.rooms.test_rooms_end import ask, room_of
from tests.worlds.matrix import MatrixDesk, Plan, running_desk


async def state(desk: MatrixDesk, room: str, kind: str) -> Json:
    return await request(desk.running.session.client, "GET", path("rooms", room, "state", kind, ""))


async def troubles(desk: MatrixDesk) -> dict[str, list[tuple[CheckState, str]]]:
    """What `helproom check` says of the rooms that is not ok."""
    found: dict[str, list[tuple[CheckState, str]]] = {}
    findings: list[Finding] = [each async for each in check_matrix(desk.settings)]
    assert len(findings) > 2
    for each in findings:
        if each.state is not CheckState.OK:
            found.setdefault(each.part, []).append((each.state, each.sentence))
    return found


async def test_rooms_and_bot_have_names_and_say_what_they_are(tmp_path: Path, synapse: Homeserver) -> None:
    async with running_desk(Plan(tmp_path, synapse)) as desk:
        rooms = [await room_of(desk, queue) for queue in ("en", "fr")]
        names = [(await state(desk, room, "m.room.name"))["name"] for room in rooms]
        assert names == ["Tails help desk (en)", "Tails help desk (fr)"]
        for room in rooms:
            what, how = (await state(desk, room, "m.room.topic"))["topic"].split("\n")
            assert "Tickets" in what
            assert "verify your device" in how
        client, where = desk.running.session.client, path("profile", desk.running.session.user_id)
        shown = await request(client, "GET", where)
        assert shown["displayname"] == "Help desk"
        assert shown["avatar_url"].startswith("mxc://")
        await request(client, "PUT", f"{where}/displayname", {"displayname": "Our own"})
        await desk.stop()
        await desk.start()
        assert (await request(desk.running.session.client, "GET", where))["displayname"] == "Our own"


async def test_who_is_missing_or_too_much_is_told(tmp_path: Path, synapse: Homeserver) -> None:
    plan = Plan(tmp_path, synapse)
    async with running_desk(plan) as desk:
        room = await room_of(desk, "fr")
        config = tmp_path / "config.yaml"
        nobody = plan.user_id("nobody")
        config.write_text(config.read_text().replace("agents: [", f'agents: ["{nobody}", '))
        desk.settings = read_settings(config)
        await desk.stop()
        await desk.start()
        await desk.hears(f"{nobody} is invited, but no such user exists")
        warned = (CheckState.WARNING, f"{nobody} does not exist. Is it spelt right in the config?")
        assert warned in (await troubles(desk))["room of fr"]
        where = path("rooms", room, "state", "m.room.power_levels", "")
        client = desk.running.session.client
        levels = await request(client, "GET", where)
        equal = {**levels, "users": {**levels["users"], desk.ana.user_id: 100}}
        await request(client, "PUT", where, equal)
        await desk.stop()
        mal = synapse.register(f"mal-{tmp_path.name}".lower(), "test-only")
        await ask(desk.ana, "POST", path("rooms", room, "invite"), {"user_id": mal})
        found = await troubles(desk)
        assert [(kind, words.partition(" ")[0]) for kind, words in found["room of fr"]] == [
            (CheckState.PROBLEM, mal),
            (CheckState.WARNING, nobody),
        ]
        assert CheckState.PROBLEM not in dict(found["room of en"])
        await desk.start()
