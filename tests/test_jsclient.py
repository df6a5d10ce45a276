# SPDX-License-Identifier: AGPL-3.0-or-later
"""The second client does what tests ask of it, and keeps its keys from unsigned devices."""

from contextlib import AsyncExitStack

import pytest

from tests.services.jsclient import JsClient, JsClientError
from tests.services.synapse import Homeserver

SECRET = "the moon is <b>round</b>\n!close 3"


async def test_two_clients_talk_in_an_encrypted_thread(synapse: Homeserver) -> None:
    async with AsyncExitStack() as stack:
        for user in ("js-ann", "js-bob"):
            synapse.register(user, "test-only")
        ann = await stack.enter_async_context(JsClient(synapse.url, "js-ann", "test-only"))
        bob = await stack.enter_async_context(JsClient(synapse.url, "js-bob", "test-only"))
        room = await ann.open_room("Desk", bob.user_id)
        assert await bob.invitation() == room
        await bob.join(room)
        root = await ann.say(room, "Ticket 1")
        heard_root = await bob.hear_text(room, "Ticket 1")
        assert heard_root.event_id == root
        await bob.say(room, SECRET, thread=root)
        assert (await ann.hear_text(room, "moon", thread=root)).body == SECRET
        await bob.react(room, root, "👀")
        reaction = await ann.hear(lambda heard: heard.kind == "m.reaction")
        assert reaction.relation == {"rel_type": "m.annotation", "event_id": root, "key": "👀"}
        assert await ann.members(room) == [ann.user_id, bob.user_id]


async def test_a_client_in_strict_mode_withholds_its_words_from_an_unsigned_device(
    synapse: Homeserver,
) -> None:
    for user in ("js-strict", "js-unsigned"):
        synapse.register(user, "test-only")
    unsigned = JsClient(synapse.url, "js-unsigned", "test-only")
    await unsigned.start(only_signed=False, sign_own_device=False)
    async with JsClient(synapse.url, "js-strict", "test-only") as strict:
        room = await strict.open_room("Desk", unsigned.user_id)
        await unsigned.invitation()
        await unsigned.join(room)
        event = await strict.say(room, SECRET)
        heard = await unsigned.hear(lambda heard: heard.event_id == event)
        assert heard.failure == "MEGOLM_KEY_WITHHELD_FOR_UNVERIFIED_DEVICE"
        assert "moon" not in heard.body
    await unsigned.stop()


async def test_a_wrong_password_is_an_error(synapse: Homeserver) -> None:
    client = JsClient(synapse.url, "js-nobody", "wrong")
    with pytest.raises(JsClientError, match="M_FORBIDDEN"):
        await client.start()
    await client.stop()
