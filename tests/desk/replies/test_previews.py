# SPDX-License-Identifier: AGPL-3.0-or-later
"""A preview is edited as its answer goes its way, so that nobody presses a dead button."""

import pytest

from desk.outbox.outcomes import Delivered, Impossible, OutboxItem, Outcome, Overtaken, Unclear
from desk.replies import previews
from tests.worlds.desk import Desk, delivery_of

SHOWN = "$preview"


async def deliver(desk: Desk, mail: Outcome | None = None) -> list[str]:
    """Carry all there is; return how the preview looked after each edit, in its first line."""
    looks: list[str] = []

    async def carry(parcel: OutboxItem) -> Outcome:
        if parcel.kind == previews.EDIT.name:
            async with desk.units() as unit:
                draft = await unit.messages.get(parcel.message or 0)
                assert previews.event_of(draft) == SHOWN
                looks.append(previews.say_of(draft).text.splitlines()[0])
        return Delivered(SHOWN if parcel.kind == "preview" else None)

    async def submit(_parcel: OutboxItem) -> Outcome:
        return mail or Delivered()

    kinds = ("say", "preview", "preview.edit", "react", "announce.edit")
    await delivery_of(desk.place, {**dict.fromkeys(kinds, carry), "mail": submit}).drain()
    return looks


@pytest.fixture(name="held")
async def hold_an_answer(desk: Desk) -> None:
    await desk.ticket()
    await desk.say("!reply Hello", ticket=1)
    [preview] = await desk.rows("preview")
    assert "This is going to leave in 60 s." in preview.payload
    # The preview has said so already: an edit would cost an event.
    assert await deliver(desk) == []
    async with desk.units() as unit:
        state = previews.state_of(await unit.messages.get(2))
    assert state.startswith("Waiting: this leaves at 2026-03-02 12:01:00 UTC. ✅ or `!send` sends it now")


@pytest.mark.usefixtures("held")
async def test_a_cancelled_answer_shows_by_whom(desk: Desk):
    await desk.say("!cancel", ticket=1)
    assert await deliver(desk) == ["Cancelled: it will not be sent: taken back by @ana:helproom.test."]


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize(
    ("outcome", "look"),
    [
        (Delivered(), "Left at 2026-03-02 12:00:10 UTC."),
        (Impossible("550 no such user"), "NOT sent, refused: 550 no such user."),
        (Unclear("the connection ended"), "UNCLEAR whether it has left: the connection ended."),
        (Overtaken(), "Not sent, and waits for `!send` or `!cancel`."),
    ],
)
async def test_an_answer_that_was_handed_over_shows_what_became_of_it(
    desk: Desk, outcome: Outcome, look: str
):
    await desk.say("!send", ticket=1)
    async with desk.units() as unit:
        state = previews.state_of(await unit.messages.get(2))
    assert state == "On its way: it cannot be taken back any more."
    desk.clock.pass_by(seconds=10)
    assert (await deliver(desk, outcome))[-1] == look


async def test_an_answer_taken_back_before_its_preview_is_there_is_shown_as_such_at_once(desk: Desk):
    await desk.ticket()
    await desk.say("!reply Hello", ticket=1)
    await desk.say("!cancel", ticket=1)
    assert await deliver(desk) == ["Cancelled: it will not be sent: taken back by @ana:helproom.test."]
