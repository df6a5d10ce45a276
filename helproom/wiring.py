# SPDX-License-Identifier: AGPL-3.0-or-later
"""The only place that knows everybody: makes the parts, joins them and keeps them running."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog

from bot.carriers.disposable import DisposableRooms
from bot.carriers.enclosures import EnclosureFetcher
from bot.carriers.received_files import FileShower
from bot.carriers.senders import RoomSenders
from bot.desk.doorkeeping import Doorkeeper
from bot.desk.journal import SYNC_TOKEN, EventJournal, waits_for
from bot.desk.pinning import Pinning, PinSenders
from bot.desk.worker import Worker
from bot.errors import TryLater
from bot.events.events import Undecryptable
from bot.http.pause import Pause
from bot.identity.crosssigning import ensure_signed
from bot.identity.session import Session, open_session
from bot.identity.trust import Trust, TrustPolicy
from bot.rooms.homes import note_homes, settle_homes
from bot.rooms.members import Members
from bot.rooms.profile import show_face
from bot.rooms.replacement import Successors
from bot.rooms.rooms import Rooms
from bot.sending.sender import Sender
from bot.sync.syncing import Syncer, SyncPosition
from desk.context import Workplace
from desk.delivery.delivery import Delivery, retry_storage
from desk.intake.recheck import RECHECK
from desk.kinds import KINDS
from desk.outbox.kinds import Kind
from desk.outbox.outcomes import Sender as Carrier
from desk.problems.links import READ
from desk.quarantine.letters import SHOW
from desk.replies.mail import MAIL
from helproom.config import for_desk, for_edges
from helproom.config.settings import Settings
from helproom.jobs.keeping import keeper
from helproom.jobs.keywatch import KeyWatch
from helproom.jobs.mailboxes import Mailboxes, open_mailboxes
from helproom.jobs.schedule import keep_calendar, repeat
from helproom.jobs.watches import Watches, daily_jobs, waiting_jobs
from helproom.startup.masterkey import refuse_other_master_key
from helproom.startup.readiness import refuse_unusable_keys
from helproom.world import real_jitter, real_world
from mail.addresses import queues_by_address
from mail.inbound.lmtp import LmtpDoor
from mail.openpgp.ephemeral_homes import sweep
from mail.openpgp.keyring import GpgExecutor, Keyring
from mail.outbound.sender import MailSender, learn_server
from mail.workers.letters import LetterWorker
from mail.workers.opener import LetterOpener
from mail.workers.quarantine import QuarantineReader
from mail.workers.received_files import FileReader
from mail.workers.recheck import Rechecker
from storage.engine.single_use import SoleUse, take_sole_use, watch
from storage.migrating import migrate
from storage.unit import Units
from trackers.reading import IssueReader

if TYPE_CHECKING:
    from trackers.redmine import Redmine

log = structlog.get_logger()

DRAIN_SECONDS = 20
"""How long a stop waits for what is being handed over; the rest goes on at the next start."""


@dataclass(frozen=True)
class RunningDesk:
    """What all parts share."""

    settings: Settings
    place: Workplace
    sole_use: SoleUse
    keyring: Keyring
    workshop: GpgExecutor
    tracker: "Redmine | None"

    @property
    def units(self) -> Units:
        """Return the database."""
        return self.place.units


@dataclass(frozen=True)
class Running:
    """A desk that is running."""

    desk: RunningDesk
    session: Session
    lmtp_port: int


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; what is under way is finished or told as unclear at the next start.

    Raises MatrixError, StorageTrouble, KeyringUnusable, SecretUnusable or OSError with a sentence.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(settings) as running:
        log.info("ready", lmtp_port=running.lmtp_port)
        await stop.wait()
        log.info("stopping")


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Running]:
    """Run a desk in the background of the block."""
    async with contextlib.AsyncExitStack() as stack:
        desk = await _open_desk(settings, stack)
        session = await open_session(for_edges.bot_account(settings), for_edges.bot_credential(settings))
        stack.push_async_callback(session.close)
        matrix = await _open_matrix(desk, session)
        mailboxes = open_mailboxes(settings, desk.place)
        watches = Watches(desk.place, has_caught_up=lambda: matrix.syncer.has_caught_up)
        calendar = await stack.enter_async_context(keep_calendar(desk.place.world.now, daily_jobs(watches)))
        keys = KeyWatch(desk.place, desk.keyring, desk.workshop)
        jobs = (calendar, *waiting_jobs(watches, matrix.worker, mailboxes, keys, desk.place.units))
        waiting = (partial(repeat, job) for job in jobs)
        async with _background((*_tasks(desk, matrix, mailboxes), *waiting)):
            # Last, so that what is told 250 meets a desk that works.
            door = await _open_door(desk, stack)
            yield Running(desk, session, door.port if door else 0)
            if door is not None:
                await door.stop()
            await matrix.delivery.finish(DRAIN_SECONDS)


async def _open_desk(settings: Settings, stack: contextlib.AsyncExitStack) -> RunningDesk:
    units = for_desk.open_units(settings)
    stack.push_async_callback(units.close)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    sole_use = await take_sole_use(units.engine)
    stack.push_async_callback(sole_use.close)
    await migrate(units.engine)
    await refuse_other_master_key(units)
    keyring = for_edges.open_keyring(settings)
    stack.callback(keyring.close)
    await refuse_unusable_keys(keyring, settings)
    workshop = GpgExecutor()
    stack.callback(workshop.close)
    await workshop.run(sweep)
    tracker = for_edges.open_tracker(settings)
    if tracker is not None:
        stack.callback(tracker.close)
    place = Workplace(units, real_world(), for_desk.house_of(settings))
    desk = RunningDesk(settings, place, sole_use, keyring, workshop, tracker)
    await note_homes(place, for_edges.homes(settings))
    return desk


async def _open_door(desk: RunningDesk, stack: contextlib.AsyncExitStack) -> LmtpDoor | None:
    lmtp = desk.settings.mail.lmtp
    if lmtp is None:
        return None
    queue_of = queues_by_address(for_desk.queue_addresses(desk.settings))
    keep = keeper(desk.units, desk.place.world, "lmtp")
    listen = lmtp.listen
    door = LmtpDoor(
        queue_of,
        keep,
        path=listen.path,
        host=listen.host or "127.0.0.1",
        port=listen.port,
        largest=lmtp.max_size,
        most_connections=lmtp.most_connections,
    )
    await door.start()
    stack.push_async_callback(door.stop)
    return door


@dataclass(frozen=True)
class Matrix:
    """The parts that speak Matrix."""

    rooms: Rooms
    members: Members
    doorkeeper: Doorkeeper
    syncer: Syncer
    journal: EventJournal
    worker: Worker
    delivery: Delivery


async def _open_matrix(desk: RunningDesk, session: Session) -> Matrix:
    credential = for_edges.bot_credential(desk.settings)
    await ensure_signed(session.client, for_desk.session_folder(desk.settings), credential.password)
    trust = await _trust(desk, session)
    journal = EventJournal(desk.place, own_id=session.user_id)
    pause = Pause(jitter=real_jitter)
    rooms = Rooms(session.client)
    members = Members(desk.place, rooms)
    sender = Sender(session.client, trust, members.readers)
    syncer = Syncer(session.client, trust, journal.keep, since=await _since(desk, journal), pause=pause)
    carriers = {
        **_carriers(desk, session, rooms, sender),
        **PinSenders(desk.place, trust).table(),
    }
    delivery = Delivery(desk.place, KINDS, carriers)
    only_verified = for_edges.key_policy(desk.settings) is TrustPolicy.SIGNED
    worker = Worker(desk.place, only_verified=only_verified)
    homes = for_edges.homes(desk.settings)
    successors = Successors(desk.place, rooms, members, homes)
    own_pause = Pause(jitter=real_jitter)
    doorkeeper = Doorkeeper(desk.place, rooms, members, successors, pause=own_pause)
    return Matrix(rooms, members, doorkeeper, syncer, journal, worker, delivery)


async def _trust(desk: RunningDesk, session: Session) -> Trust:
    pinning = Pinning(desk.place)
    policy = for_edges.key_policy(desk.settings)
    known = await pinning.known()
    return Trust(session.client, known, policy=policy, keep=pinning.keep, report=pinning.report)


async def _since(desk: RunningDesk, journal: EventJournal) -> SyncPosition:
    async with desk.place.units() as unit:
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


def _carriers(desk: RunningDesk, session: Session, rooms: Rooms, sender: Sender) -> Mapping[Kind, Carrier]:
    version = desk.settings.matrix.room_version
    only_verified = for_edges.key_policy(desk.settings) is TrustPolicy.SIGNED
    mail = MailSender(
        desk.place,
        desk.keyring,
        desk.workshop,
        for_edges.submission_settings(desk.settings),
    )
    reader = IssueReader(desk.place, desk.tracker)
    senders = RoomSenders(desk.place, sender)
    take = FileReader(desk.place.units, _opener(desk))
    return {
        **senders.table(),
        **FileShower(desk.place, sender, senders, take).table(),
        **DisposableRooms(
            desk.place, rooms, sender, version=version, agents=desk.place.config.agents
        ).table(),
        **EnclosureFetcher(desk.place, session.client, only_verified=only_verified).table(),
        MAIL: mail,
        READ: reader.read,
        RECHECK: Rechecker(desk.place, _opener(desk)),
        SHOW: QuarantineReader(desk.place, _opener(desk)),
    }


def _opener(desk: RunningDesk) -> LetterOpener:
    return LetterOpener(desk.keyring, desk.workshop, desk.place.config.relays)


def _tasks(
    desk: RunningDesk, matrix: Matrix, mailboxes: Mailboxes
) -> tuple[Callable[[], Awaitable[None]], ...]:
    workers = desk.settings.mail.workers
    letters = LetterWorker(desk.place, _opener(desk), parallel=workers)

    async def settle() -> None:
        await _settle(desk, matrix)

    return (
        matrix.syncer.run,
        matrix.worker.run,
        matrix.delivery.run,
        letters.run,
        *(fetcher.run for fetcher in mailboxes.fetchers),
        settle,
        partial(matrix.doorkeeper.run, matrix.journal),
        partial(watch, desk.sole_use),
        partial(learn_server, desk.place.units, for_edges.submission_settings(desk.settings)),
    )


async def _settle(desk: RunningDesk, matrix: Matrix) -> None:
    """Make the lasting rooms and remove strangers, however long the homeserver takes to be well."""
    pause = Pause(jitter=real_jitter)
    wanted = desk.settings.matrix
    while True:
        try:
            await matrix.members.tidy_all()
            await show_face(matrix.rooms, desk.place.units)
            await settle_homes(
                desk.place,
                matrix.rooms,
                for_edges.homes(desk.settings),
                version=wanted.room_version,
                federate=wanted.federate,
            )
        except TryLater as trouble:
            log.warning("homes.later", reason=str(trouble))
            await pause.wait(trouble.after)
        else:
            return


@contextlib.asynccontextmanager
async def _background(tasks: tuple[Callable[[], Awaitable[None]], ...]) -> AsyncIterator[None]:
    """Run the tasks beside the block; when one fails, the block is cancelled and the failure raised."""
    async with asyncio.TaskGroup() as together:
        started = [together.create_task(_awaited(task)) for task in tasks]
        try:
            yield
        finally:
            for task in started:
                task.cancel()


async def _awaited(task: Callable[[], Awaitable[None]]) -> None:
    await retry_storage(task)
