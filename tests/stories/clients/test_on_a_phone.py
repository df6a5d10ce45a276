# SPDX-License-Identifier: AGPL-3.0-or-later
"""On a screen of 390 pixels, nothing that the bot says is cut off."""

from pathlib import Path

from tests.services.phone import Phone
from tests.services.synapse import Homeserver
from tests.worlds.matrix import PASSWORD, SAMPLES, Plan, running_desk

LONG = "https://example.org/a/path/that/does/not/end/soon/as/it/is/long/and/longer/than/any/screen/of/a/phone"
ANSWER = f"Hello,\n\nsee {LONG} and write to kim.with.a.long.name@subdomain.of.example.org.\n\n    set in"


async def test_nothing_is_wider_than_the_screen(tmp_path: Path, synapse: Homeserver) -> None:
    # A client that nobody has verified reads the rooms here.
    plan = Plan(tmp_path, synapse, others=("phone",), hold=600, matrix="  share_keys_with: all\n")
    async with running_desk(plan) as desk, Phone(synapse.url, tmp_path / "site") as phone:
        await phone.log_in(plan.user_id("phone").partition(":")[0][1:], PASSWORD)
        await phone.join("Tails help desk (en)")
        await desk.deliver((SAMPLES / "01-new-en-wifi-large.eml").read_bytes())
        announcement = await desk.announced(1)
        room, thread = announcement.room_id, announcement.event_id
        for command, words in (
            ("!help", "`!help reply` tells more"),
            ("!show", "I wanted to connect to my home Wi-Fi."),
            (f"!reply {ANSWER}", "This is going to leave"),
        ):
            await desk.ana.say(room, command, thread=thread)
            await desk.hears(words, thread=thread)
            await phone.sees(words)
        shown = await phone.measure()
        await phone.picture(tmp_path / "phone.png")
    assert shown["messages"] > 6
    assert (shown["page"], shown["wide"]) == (390, [])
