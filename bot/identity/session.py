# SPDX-License-Identifier: AGPL-3.0-or-later
"""The bot's one login: made once, kept for ever with its device and keys."""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

import structlog
from nio import AsyncClient, AsyncClientConfig

from bot.errors import (
    HomeserverUnreachable,
    KeyStoreTrouble,
    LoginRefused,
    Rejected,
    SessionGone,
    StoreInUse,
    TryLater,
)
from bot.http.wire import Client, Json, path, request
from bot.identity import secretfile
from bot.identity.keystore import Store

log = structlog.get_logger()

SESSION = "session.json"
PICKLE_KEY = "pickle.key"
LOCK = "lock"
STORE = "store"
RENEWAL_PATIENCE = 60.0
KEEP_AGAIN = 5.0


@dataclass(frozen=True)
class BotAccount:
    """Whose session it is and where it is kept; `user` is a full Matrix id or a local part."""

    homeserver: str
    user: str
    folder: Path
    device_name: str = "Helproom"
    ca_file: Path | None = None
    """Certificates to trust instead of the system's."""

    @property
    def tls(self) -> ssl.SSLContext | None:
        """What nio is given; None for the usual checks. Raises LoginRefused."""
        if self.ca_file is None:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise LoginRefused("The file with the homeserver's certificates cannot be read.") from error


@dataclass(frozen=True)
class Credential:
    """One of the two ways in; an existing session needs neither."""

    password: str | None = None
    access_token: str | None = None


@dataclass(frozen=True)
class Login:
    """What session.json holds."""

    user_id: str
    device_id: str
    access_token: str


class Session:
    """A client with its keys loaded, and the lock that keeps other processes away from them."""

    def __init__(
        self, client: AsyncClient, login: Login, lock: TextIO, folder: Path, *, is_new: bool = False
    ) -> None:
        self.client = client
        self.is_new = is_new
        """Its device was made just now."""
        self.user_id = login.user_id
        self.device_id = login.device_id
        self._lock = lock
        self._folder = folder

    async def end(self) -> None:
        """Sign the device out and keep nothing of it, then close; raises TryLater and keeps it."""
        await request(self.client, "POST", path("logout"), {})
        for file in (self._folder / SESSION, self._folder / PICKLE_KEY, *(self._folder / STORE).iterdir()):
            file.unlink(missing_ok=True)

    async def close(self) -> None:
        """Close connections and key store, then let the lock go."""
        await _close(self.client)
        self._lock.close()


async def open_session(account: BotAccount, credential: Credential, *, patience: float = 60.0) -> Session:
    """Restore the session kept in `account.folder`, or log in once and keep it there.

    Sets the umask of the process to 077, since the key store makes files of its own at any time, and
    silences nio's log.
    Raises HomeserverUnreachable, LoginRefused, SessionGone or StoreInUse.
    """
    os.umask(0o077)
    # nio logs events it finds odd, words and all.
    logging.getLogger("nio").setLevel(logging.CRITICAL)
    secretfile.make_private_folder(account.folder)
    secretfile.make_private_folder(account.folder / STORE)
    lock = _lock(account.folder)
    try:
        kept = _kept(account.folder)
        login = kept or await _log_in(account, credential, patience)
        _refuse_other(account, login)
        client = _client(account, login.device_id, _pickle_key(account.folder))
        client.renew = _Renewal(client, account, credential, login)
        try:
            _load_keys(client, login)
            await _confirm(client, login, patience)
        except BaseException:
            await _close(client)
            raise
    except BaseException:
        lock.close()
        raise
    is_new = kept is None and credential.access_token is None
    return Session(client, login, lock, account.folder, is_new=is_new)


def _refuse_other(account: BotAccount, login: Login) -> None:
    """The device and the keys that are kept are those of one account; homeservers don't mind the case."""
    found = login.user_id if account.user.startswith("@") else login.user_id[1:].partition(":")[0]
    if found.casefold() != account.user.casefold():
        raise LoginRefused(
            f"The Matrix session in {account.folder} is that of {login.user_id}, but matrix.user_id in the "
            f"config is {account.user}. Put the first one back; or move that folder away, to begin anew with "
            "the other account."
        )


class _Renewal:
    """Logs the same device in again; whoever comes meanwhile waits for it."""

    def __init__(self, client: Client, account: BotAccount, credential: Credential, login: Login) -> None:
        self._client = client
        self._account = account
        self._credential = credential
        self._login = login
        self._turn = asyncio.Lock()

    async def __call__(self, refused: str) -> None:
        async with self._turn:
            if self._client.access_token != refused:
                return
            if self._credential.password is None:
                raise SessionGone(_NO_WAY_IN)
            again = Credential(password=self._credential.password)
            try:
                found = await _ask_for_login(self._account, again, RENEWAL_PATIENCE, self._login.device_id)
            except Rejected as error:
                raise SessionGone(_NOT_AGAIN) from error
            self._client.access_token = found.access_token
            await self._keep(found)
            log.info("logged-in-again")

    async def _keep(self, login: Login) -> None:
        """The token before does not count any more: without this one the next start would be the end."""
        while True:
            try:
                secretfile.replace(self._account.folder / SESSION, json.dumps(asdict(login)))
            except OSError as error:
                log.warning("session-not-kept", error=type(error).__name__)
                await asyncio.sleep(KEEP_AGAIN)
            else:
                return


_NO_WAY_IN = (
    "The homeserver wants the bot to log in again, and there is only an access token: give the bot's "
    "password, or a new token after removing session.json."
)
_NOT_AGAIN = "The homeserver wants the bot to log in again, and refuses it: is the password still right?"


@contextlib.asynccontextmanager
async def only_asking(account: BotAccount) -> AsyncIterator[AsyncClient]:
    """A client with the kept login and no keys, for a look beside a running bot. Raises LoginRefused."""
    login = _kept(account.folder)
    if login is None:
        raise LoginRefused("There is no session yet.")
    client = AsyncClient(account.homeserver.rstrip("/"), login.user_id, ssl=account.tls)
    client.user_id, client.access_token = login.user_id, login.access_token
    try:
        yield client
    finally:
        await client.close()


async def _close(client: AsyncClient) -> None:
    """Close connections and key store, of which nio leaves the latter open."""
    await client.close()
    if client.store:
        client.store.database.close()


def _client(account: BotAccount, device_id: str, pickle_key: str) -> Client:
    config = AsyncClientConfig(
        store_sync_tokens=False,
        encryption_enabled=True,
        max_limit_exceeded=0,
        max_timeouts=0,
        request_timeout=60,
        pickle_key=pickle_key,
        store=Store,
    )
    store = str(account.folder / STORE)
    homeserver = account.homeserver.rstrip("/")
    return Client(homeserver, account.user, device_id, store, config, ssl=account.tls)


def _load_keys(client: AsyncClient, login: Login) -> None:
    try:
        client.restore_login(login.user_id, login.device_id, login.access_token)
    except KeyStoreTrouble:
        raise
    except Exception as error:  # whatever the store's libraries raise
        raise LoginRefused(
            "The key store does not open: pickle.key is not the one it was sealed with, or the store is "
            "damaged. Restore the whole session folder from one backup."
        ) from error


def _lock(folder: Path) -> TextIO:
    handle = (folder / LOCK).open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise StoreInUse("Another Helproom uses this Matrix session already: stop it first.") from error
    return handle


def _kept(folder: Path) -> Login | None:
    try:
        found = json.loads((folder / SESSION).read_text())
        return Login(found["user_id"], found["device_id"], found["access_token"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise LoginRefused("session.json is damaged: restore it from a backup, or remove it.") from error


def _pickle_key(folder: Path) -> str:
    """The secret that seals nio's key store, made at first start."""
    file = folder / PICKLE_KEY
    if not file.exists():
        secretfile.write_new(file, os.urandom(32).hex())
    return file.read_text()


async def _log_in(account: BotAccount, credential: Credential, patience: float) -> Login:
    try:
        login = await _ask_for_login(account, credential, patience)
    except TryLater as error:
        raise _unreachable(error) from error
    except Rejected as error:
        raise LoginRefused(
            "The homeserver refuses the login: is the password right, and the user the bot's own?"
        ) from error
    except SessionGone as error:
        raise LoginRefused("The homeserver does not know this access token.") from error
    _refuse_other(account, login)
    secretfile.replace(account.folder / SESSION, json.dumps(asdict(login)))
    return login


async def _ask_for_login(
    account: BotAccount, credential: Credential, patience: float, device_id: str | None = None
) -> Login:
    """Log in, as the device with this id if there is one."""
    client = AsyncClient(account.homeserver.rstrip("/"), account.user, ssl=account.tls)
    try:
        return await _asked(client, account, credential, patience, device_id)
    finally:
        await client.close()


async def _asked(
    client: AsyncClient, account: BotAccount, credential: Credential, patience: float, device_id: str | None
) -> Login:
    if credential.access_token is not None:
        client.access_token = credential.access_token
        who = await request(client, "GET", path("account", "whoami"), patience=patience)
        return _login(who, credential.access_token)
    if credential.password is None:
        raise LoginRefused("There is no session yet, and neither a password nor an access token to make one.")
    answer = await request(
        client,
        "POST",
        path("login"),
        {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": account.user},
            "password": credential.password,
            "initial_device_display_name": account.device_name,
            **({"device_id": device_id} if device_id else {}),
        },
        patience=patience,
    )
    return _login(answer, answer.get("access_token"))


def _login(answer: Json, token: object) -> Login:
    user_id, device_id = answer.get("user_id"), answer.get("device_id")
    if not (isinstance(user_id, str) and isinstance(device_id, str) and isinstance(token, str)):
        raise LoginRefused("The homeserver names no device for this login; encryption needs one.")
    return Login(user_id, device_id, token)


async def _confirm(client: AsyncClient, login: Login, patience: float) -> None:
    """Ask whether the token still counts and belongs to the device whose keys we hold."""
    try:
        who = await request(client, "GET", path("account", "whoami"), patience=patience)
    except TryLater as error:
        raise _unreachable(error) from error
    if who.get("user_id") != login.user_id or who.get("device_id", login.device_id) != login.device_id:
        raise LoginRefused("The access token belongs to another user or device than session.json says.")


def _unreachable(error: TryLater) -> HomeserverUnreachable:
    return HomeserverUnreachable(f"{error} Is its address in the config right, and is it running?")
