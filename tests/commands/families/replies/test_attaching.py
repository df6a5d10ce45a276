# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!attach` and `!detach`: what is asked for, what waits for it, and what is kept of it."""

from typing import Any

import pytest

import commands
from commands.context import Context
from desk.outbox.outcomes import Delivered, Impossible, OutboxItem, Outcome
from desk.outbox.posts import say_from_json
from desk.replies import attaching, previews
from desk.replies.attaching import FETCH, Fetched, wish_of
from desk.replies.files import fit_media_type, fit_name
from desk.sizes import size_words
from desk.tickets.threads import Thread
from desk.world import Refusal
from storage.models import OutboxState, ReplyState
from tests.worlds.desk import ANA, Desk, delivery_of, with_replies

PICTURE = Fetched("$file", "../shot\u202e.png", "image/PNG; x=y", b"\x89PNG" * 500)


async def attach(desk: Desk, *, reply_to: str | None = None, thread: str = "$root1", number: int = 1) -> str:
    """Say `!attach` in a thread; return the refusal, if it is one."""
    try:
        async with desk.units() as unit:
            room = await unit.rooms.of_queue("en")
            ticket = await unit.tickets.get(number)
            assert room is not None
            event = desk.heard("!attach", event_id="$said", thread_root=thread, relates_to=reply_to)
            here = Thread(ticket, thread, goes_on=True)
            await commands.run(Context(event, room, desk.work(unit), here))
    except Refusal as why:
        return str(why)
    return ""


async def arrives(desk: Desk, file: Fetched | str = PICTURE) -> None:
    """Let the oldest file that is being fetched arrive, or not."""
    row = (await desk.rows(FETCH))[0]
    async with desk.units() as unit:
        await attaching.fetched(desk.work(unit), row.id, wish_of(row.payload or "")[0], file)


async def deliver(desk: Desk) -> None:
    """Let what is said in rooms arrive there."""

    async def carry(parcel: OutboxItem) -> Outcome:
        return Delivered("$preview" if parcel.kind == "preview" else None)

    kinds = ("say", "preview", "preview.edit", "react", "announce.edit", "mail")
    await delivery_of(desk.place, dict.fromkeys(kinds, carry)).drain()


async def files(desk: Desk) -> list[tuple[str | None, int | None, int | None]]:
    """Return name, size and answer of all files."""
    async with desk.units() as unit:
        found = [await unit.enclosures.get(number) for number in range(1, 20)]
        return [(each.name, each.size, each.message_id) for each in found if each is not None]


async def answer_of(desk: Desk) -> Any:
    return (await desk.messages(1))[-1]


async def said(desk: Desk) -> list[str]:
    return [say_from_json(row.payload or "").text for row in await desk.rows("say")]


async def test_a_file_waits_for_the_next_answer_and_leaves_with_it(desk: Desk):
    await desk.ticket()
    assert await attach(desk, reply_to="$file") == ""
    [row] = await desk.rows(FETCH)
    assert wish_of(row.payload)[1] == attaching.AttachRequest(ANA, "$said", "$root1", "$file")
    await arrives(desk)
    line = "“shot .png” (image/png, 2 KB)"
    assert await said(desk) == [
        f"Attached: {line}. It leaves with the next answer (`!reply`); `!detach` takes it away."
    ]
    await desk.user_has_key()
    await desk.say("!reply See the picture.", ticket=1)
    assert await files(desk) == [("shot .png", 2000, 2)]
    [preview] = await desk.rows("preview")
    shown = say_from_json(preview.payload).text
    assert shown.endswith(f"\nFiles: they leave encrypted with the mail, as they are\n- {line}")
    await deliver(desk)
    await desk.say("!send", ticket=1)
    await deliver(desk)
    assert (await answer_of(desk)).state is ReplyState.SENT
    assert await files(desk) == []


async def test_what_a_file_holds_is_sealed(desk: Desk):
    await desk.ticket()
    await attach(desk)
    await arrives(desk)
    async with desk.units() as unit:
        values = (await unit._session.connection()).exec_driver_sql("SELECT * FROM enclosure")
        [found] = (await values).mappings()
    assert b"PNG" not in b"".join(value for value in found.values() if isinstance(value, bytes))
    assert not any("shot" in value for value in found.values() if isinstance(value, str))
    async with desk.units() as unit:
        ticket = await unit.tickets.get(1)
        ticket.wrapped_key = None
    async with desk.units() as unit:
        kept = await unit.enclosures.get(1)
        with pytest.raises(LookupError):
            assert kept.name


async def test_a_file_goes_with_its_ticket(desk: Desk):
    await desk.ticket()
    await attach(desk)
    await arrives(desk)
    async with desk.units() as unit:
        await unit._session.delete(await unit.tickets.get(1))
    assert await files(desk) == []


async def test_a_held_answer_waits_for_its_file_and_its_hold_begins_anew(desk: Desk):
    await desk.ticket()
    await desk.say("!reply Hello", ticket=1)
    await deliver(desk)
    first = (await answer_of(desk)).hold_until
    desk.clock.pass_by(seconds=30)
    await attach(desk)
    await deliver(desk)
    draft = await answer_of(desk)
    assert previews.state_of(draft).startswith("Waiting for a file")
    assert draft.hold_until is None
    assert "still being fetched" in await desk.say("!send", ticket=1)
    await arrives(desk)
    await deliver(desk)
    draft = await answer_of(desk)
    assert (draft.hold_until - first).total_seconds() == 30
    assert "Files: they leave in clear, as the mail does" in previews.say_of(draft).text
    assert await desk.say("!send", ticket=1) == ""


async def test_an_answer_that_was_written_before_its_file_is_there_waits(desk: Desk):
    await desk.ticket()
    await attach(desk)
    await desk.say("!reply Hello", ticket=1)
    await deliver(desk)
    assert (await answer_of(desk)).hold_until is None
    async with desk.units() as unit:
        assert not await unit.messages.due_replies(desk.clock.now.replace(year=2030))
    await arrives(desk)
    await deliver(desk)
    assert (await answer_of(desk)).hold_until is not None


async def test_without_its_file_an_answer_waits_for_a_persons_word(desk: Desk):
    await desk.ticket()
    await attach(desk)
    await desk.say("!reply Hello", ticket=1)
    await deliver(desk)
    await arrives(desk, "that file was not sent encrypted.")
    words = "The answer stays here: `!send` it without that file, or `!cancel` it."
    assert await said(desk) == [f"NOT attached: that file was not sent encrypted. {words}"]
    assert say_from_json((await desk.rows("say"))[0].payload or "").mentions == (ANA,)
    assert ((await answer_of(desk)).state, await files(desk)) == (ReplyState.STALE, [])
    assert await desk.say("!send", ticket=1) == ""


async def test_a_file_that_never_comes_is_told(desk: Desk):
    await desk.ticket()
    await attach(desk)

    async def fail(_parcel: OutboxItem) -> Outcome:
        return Impossible("the homeserver does not answer; given up after 15 minutes")

    await delivery_of(desk.place, {FETCH: fail})._drain_lane((await desk.rows(FETCH))[0].lane)
    assert await said(desk) == ["NOT attached: the homeserver does not answer; given up after 15 minutes."]
    assert await files(desk) == []
    async with desk.units() as unit:
        assert not await unit.outbox.in_state(OutboxState.PARKED)


async def test_what_is_taken_away_does_not_leave(desk: Desk):
    await desk.ticket()
    for name in ("one.txt", "two.txt"):
        await attach(desk)
        await arrives(desk, Fetched(f"${name}", name, "text/plain", b"x"))
    assert "No such file is attached: there is “one.txt”" in await desk.say("!detach three.txt", ticket=1)
    assert await desk.say("!detach ONE.txt", ticket=1) == (
        "Removed, and will not be sent: “one.txt” (text/plain, 1 bytes)."
    )
    await desk.say("!reply Hello", ticket=1)
    await deliver(desk)
    await desk.say("!detach", ticket=1)
    assert await files(desk) == []
    await deliver(desk)
    draft = await answer_of(desk)
    assert (draft.state, "Files" in previews.say_of(draft).text) == (ReplyState.HELD, False)
    assert draft.hold_until is not None
    assert await desk.say("!detach", ticket=1) == "No file is attached."


async def test_a_file_that_was_taken_away_while_it_was_fetched_is_not_kept(desk: Desk):
    await desk.ticket()
    await attach(desk)
    await desk.say("!detach", ticket=1)
    await arrives(desk)
    assert (await files(desk), await said(desk)) == ([], [])


@pytest.mark.parametrize("end", ["!cancel", "!close"])
async def test_what_ends_an_answer_or_a_ticket_ends_its_files(desk: Desk, end: str):
    await desk.ticket()
    await attach(desk)
    await arrives(desk)
    if end == "!cancel":
        await desk.say("!reply Hello", ticket=1)
    await desk.say(end, ticket=1)
    assert await files(desk) == []


async def test_a_file_whose_message_is_removed_does_not_leave(desk: Desk):
    await desk.ticket()
    await attach(desk, reply_to="$file")
    await arrives(desk)
    await desk.say("!reply Hello", ticket=1)
    async with desk.units() as unit:
        await attaching.withdraw(desk.work(unit), "$file", by=ANA)
    assert (await files(desk), (await answer_of(desk)).state) == ([], ReplyState.STALE)
    assert "its message was removed from the room" in (await said(desk))[-1]


async def test_what_was_fetched_ends_its_row_and_forgets_what_was_asked(desk: Desk):
    await desk.ticket()
    await attach(desk)
    [row] = await desk.rows(FETCH)
    await arrives(desk)
    async with desk.units() as unit:
        done = await unit.outbox.get(row.id)
        assert (done.state, done.payload_sealed, done.wrapped_key) == (OutboxState.SENT, None, None)
        assert done.done_at == desk.clock.now


async def test_where_no_file_may_leave_that_is_said(desk: Desk):
    desk.config = with_replies(desk.config, most_files=0)
    await desk.ticket()
    assert await attach(desk) == "At this desk no files leave with answers: its config says `most_files: 0`."


async def test_limits_hold_for_all_files_of_an_answer(desk: Desk):
    desk.config = with_replies(desk.config, most_files=2, files_size=1500)
    await desk.ticket()
    await attach(desk, reply_to="$one")
    assert await attach(desk, reply_to="$one") == "That file is attached already."
    await attach(desk)
    assert "2 files can leave at most" in await attach(desk)
    await arrives(desk, Fetched("$one", "one", "text/plain", b"x" * 1000))
    await arrives(desk, Fetched("$two", "two", "text/plain", b"x" * 600))
    assert (await said(desk))[-1] == "NOT attached: the files of one answer can have 2 KB together at most."
    await attach(desk)
    await arrives(desk, Fetched("$one", "one", "text/plain", b"x"))
    assert (await said(desk))[-1] == "NOT attached: that file is attached already."


async def test_no_file_leaves_in_clear_on_demand(desk: Desk):
    await desk.ticket(confidential=True)
    await attach(desk)
    await arrives(desk)
    refused = await desk.say("!reply --plain Please write again.", ticket=1, verified=True)
    assert "only your own words can leave, no file" in refused
    await desk.say("!detach", ticket=1)
    assert await desk.say("!reply --plain Please write again.", ticket=1, verified=True) == ""
    assert "no file can leave with it" in await attach(desk)


async def test_where_no_answer_can_leave_no_file_is_fetched(desk: Desk):
    await desk.ticket(contact=None)
    await desk.ticket()
    assert "left no address" in await attach(desk)
    assert "in the thread of ticket 2" in await attach(desk, thread="$root1", number=2)
    assert "Which ticket?" in await desk.say("!attach")
    assert "in the thread of ticket 2" in await desk.say("!attach 2")
    await desk.say("!close", ticket=2)
    assert "is closed" in await attach(desk, thread="$root2", number=2)
    assert not await desk.rows(FETCH)


@pytest.mark.parametrize(
    ("name", "fit"),
    [
        ("report.pdf", "report.pdf"),
        ("/etc/passwd", "passwd"),
        ("C:\\Users\\kim\\a.txt", "a.txt"),
        ("..", "file"),
        ("", "file"),
        (".bashrc", "bashrc"),
        ("--output=x", "output=x"),
        ("a\r\nBcc: x", "a Bcc_ x"),
        ("gpj.\u202eexe", "gpj. exe"),
        ("снимок экрана.png", "снимок экрана.png"),
        ("x" * 300 + ".tar", "x" * 96 + ".tar"),
        ("a\x00\ud800b", "a b"),
    ],
)
def test_a_files_name_is_only_a_name(name: str, fit: str):
    assert fit_name(name) == fit


def test_types_that_would_be_opened_as_mail_are_mere_bytes():
    for odd in ("message/rfc822", "multipart/mixed", "text", "a/b\r\nX: y", ""):
        assert fit_media_type(odd) == "application/octet-stream"
    assert fit_media_type("Text/HTML; charset=x") == "text/html"


def test_sizes_are_as_people_say_them():
    assert [size_words(size) for size in (0, 999, 1500, 999_400, 2_340_000)] == [
        "0 bytes",
        "999 bytes",
        "2 KB",
        "999 KB",
        "2.3 MB",
    ]


def test_content_is_not_shown_where_a_file_is_printed():
    assert "PNG" not in repr(Fetched("$file", "a", "b/c", b"PNG"))
