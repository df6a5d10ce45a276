# SPDX-License-Identifier: AGPL-3.0-or-later
"""Opens the parts of a desk."""

import contextlib

from bot.carriers.senders import RoomSenders
from bot.desk.journal import SYNC_TOKEN, EventJournal, waits_for
from bot.desk.pinning import Pinning
from bot.desk.worker import Worker
from bot.events.events import Undecryptable
from bot.http.pause import Pause
from bot.identity.crosssigning import ensure_signed
from bot.identity.session import Session, open_session
from bot.identity.trust import Trust, TrustPolicy
from bot.rooms.homes import note_homes
from bot.rooms.members import Members
from bot.rooms.rooms import Rooms
from bot.sending.sender import Sender
from bot.sync.syncing import Syncer, SyncPosition
from desk.context import Workplace
from helproom.config import for_desk
from helproom.config.homes import homes_of
from helproom.config.settings import Settings
from helproom.parts.parts import DeskParts, MatrixParts, Parts
from helproom.startup.masterkey import refuse_other_master_key
from helproom.startup.readiness import refuse_unusable_keys
from helproom.world import real_jitter, real_world
from mail.openpgp.ephemeral_homes import sweep
from mail.openpgp.keyring import GpgExecutor
from storage.engine.single_use import take_sole_use
from storage.migrating import migrate


async def open_parts(settings: Settings, stack: contextlib.AsyncExitStack) -> Parts:
    """Open all parts; `stack` closes them.

    Raises MatrixError, StorageTrouble, KeyringUnusable, SecretUnusable or OSError with a sentence.
    """
    desk = await _open_desk(settings, stack)
    session = await open_session(settings.bot_account(), settings.matrix.credential())
    stack.push_async_callback(session.close)
    return Parts(desk, await _open_matrix(desk, session))


async def _open_desk(settings: Settings, stack: contextlib.AsyncExitStack) -> DeskParts:
    units = for_desk.open_units(settings)
    stack.push_async_callback(units.close)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    sole_use = await take_sole_use(units.engine)
    stack.push_async_callback(sole_use.close)
    await migrate(units.engine)
    await refuse_other_master_key(units)
    keyring = settings.mail.open_keyring()
    stack.callback(keyring.close)
    await refuse_unusable_keys(keyring, settings)
    executor = GpgExecutor()
    stack.callback(executor.close)
    await executor.run(sweep)
    tracker = settings.redmine.open_tracker() if settings.redmine is not None else None
    if tracker is not None:
        stack.callback(tracker.close)
    place = Workplace(units, real_world(), for_desk.desk_config(settings))
    await note_homes(place, homes_of(settings))
    return DeskParts(settings, place, sole_use, keyring, executor, tracker)


async def _open_matrix(desk: DeskParts, session: Session) -> MatrixParts:
    credential = desk.settings.matrix.credential()
    await ensure_signed(session.client, desk.settings.session_folder, credential.password)
    trust = await _trust(desk, session)
    journal = EventJournal(desk.place, own_id=session.user_id)
    rooms = Rooms(session.client)
    members = Members(desk.place, rooms)
    sender = Sender(session.client, trust, members.readers)
    since, pause = await _since(desk, journal), Pause(jitter=real_jitter)
    only_verified = desk.settings.matrix.key_policy() is TrustPolicy.SIGNED
    return MatrixParts(
        session=session,
        trust=trust,
        rooms=rooms,
        members=members,
        sender=sender,
        room_senders=RoomSenders(desk.place, sender),
        journal=journal,
        syncer=Syncer(session.client, trust, journal.keep, since=since, pause=pause),
        worker=Worker(desk.place, only_verified=only_verified),
        only_verified=only_verified,
    )


async def _trust(desk: DeskParts, session: Session) -> Trust:
    pinning = Pinning(desk.place)
    policy = desk.settings.matrix.key_policy()
    known = await pinning.known()
    return Trust(session.client, known, policy=policy, keep=pinning.keep, report=pinning.report)


async def _since(desk: DeskParts, journal: EventJournal) -> SyncPosition:
    async with desk.units() as unit:
        token = await unit.facts.get(SYNC_TOKEN)
        closed = await unit.journal.undecryptable()
        waiting = tuple(
            Undecryptable(
                each.event_id,
                each.room_id,
                each.sender or "",
                waits_for(each.content or "")[0],
                each.heard_at,
            )
            for each in closed
        )
    return SyncPosition(journal.memory(), token, waiting)
