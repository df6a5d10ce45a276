# SPDX-License-Identifier: AGPL-3.0-or-later
"""A private Synapse on loopback, for the demo and the tests."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

SERVER_NAME = "helproom.test"
START_SECONDS = 90.0
STOP_SECONDS = 15.0


class HomeserverError(Exception):
    """The homeserver did not start, or refused a registration."""

    exit_code = os.EX_UNAVAILABLE


def free_port() -> int:
    """Ask the kernel for a TCP port on loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def bound_to_us(command: list[str]) -> list[str]:
    """Wrap a command so that it dies when we do, however we die (setpriv, util-linux)."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--", *command] if setpriv else command


@dataclass(frozen=True)
class Site:
    """Where a homeserver lives and how it behaves. Its keys are derived from `secret`, any private text.

    `throttled` gives small rate limits (a few events, then 429), `usual_limits` those of a Synapse whose
    config names none; without them there are none.
    """

    folder: Path
    secret: str
    server_name: str = SERVER_NAME
    throttled: bool = False
    usual_limits: bool = False


class Homeserver:
    """One Synapse process with SQLite under `site.folder`; data and port outlive a stop or a kill."""

    def __init__(self, site: Site) -> None:
        """Take the site's description; nothing is written or started yet."""
        self.site = site
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The client API's base address, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def server_name(self) -> str:
        """The part of user ids behind the colon."""
        return self.site.server_name

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Start and wait until the client API answers. Raises HomeserverError with Synapse's last words."""
        self._lay_out()
        command = [sys.executable, "-m", "synapse.app.homeserver", "-c", str(self._config_file)]
        with (self.site.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  # own interpreter, own config
                bound_to_us(command),
                cwd=self.site.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if not self.running or time.monotonic() > deadline:
                self.kill()
                raise HomeserverError(f"Synapse did not start:\n{self._last_words()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the process in order (SIGTERM), by force if it lingers; harmless when it does not run."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End the process as a power cut would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Stop, then start with the same data on the same port."""
        self.stop()
        self.start()

    def register(self, user: str, password: str, *, admin: bool = False) -> str:
        """Make an account through the shared-secret API and return its full user id."""
        path = "/_synapse/admin/v1/register"
        nonce = self._ask("GET", path)["nonce"]
        words = "\0".join([nonce, user, password, "admin" if admin else "notadmin"])
        # Synapse's API prescribes HMAC-SHA1 here
        mac = hmac.new(self._derive("registration").encode(), words.encode(), hashlib.sha1).hexdigest()
        request = {"nonce": nonce, "username": user, "password": password, "admin": admin, "mac": mac}
        return str(self._ask("POST", path, request)["user_id"])

    @property
    def _config_file(self) -> Path:
        return self.site.folder / "homeserver.yaml"

    def _derive(self, purpose: str) -> str:
        return hmac.new(self.site.secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()

    def _lay_out(self) -> None:
        self.site.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        seed = base64.b64encode(bytes.fromhex(self._derive("signing"))).decode().rstrip("=")
        self._write("signing.key", f"ed25519 a_helproom {seed}\n")
        self._write("log.yaml", json.dumps(_log_settings(self.site.folder)))
        self._write("homeserver.yaml", json.dumps(self._settings(), indent=1))

    def _write(self, name: str, text: str) -> None:
        path = self.site.folder / name
        path.touch(mode=0o600)
        path.write_text(text)

    def _settings(self) -> dict[str, Any]:
        folder = self.site.folder
        listener = {"port": self.port, "type": "http", "bind_addresses": ["127.0.0.1"], "x_forwarded": False}
        return {
            "server_name": self.site.server_name,
            "public_baseurl": f"{self.url}/",
            "listeners": [{**listener, "resources": [{"names": ["client"], "compress": False}]}],
            "database": {"name": "sqlite3", "args": {"database": str(folder / "homeserver.db")}},
            "log_config": str(folder / "log.yaml"),
            "media_store_path": str(folder / "media"),
            "signing_key_path": str(folder / "signing.key"),
            "pid_file": str(folder / "homeserver.pid"),
            "registration_shared_secret": self._derive("registration"),
            "macaroon_secret_key": self._derive("macaroon"),
            "form_secret": self._derive("form"),
            "report_stats": False,
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            "federation_domain_whitelist": [],
            "url_preview_enabled": False,
            "presence": {"enabled": False},
            "bcrypt_rounds": 4,
            # an identical initial sync would be served from memory for two minutes
            "caches": {"sync_response_cache_duration": 0},
            **({} if self.site.usual_limits else _rates(throttled=self.site.throttled)),
        }

    def _answers(self) -> bool:
        try:
            self._ask("GET", "/_matrix/client/versions")
        except (OSError, http.client.HTTPException):
            return False
        return True

    def _ask(self, method: str, path: str, body: dict[str, object] | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise HomeserverError(f"{method} {path}: {response.status} {answer.get('errcode')}")
        return dict(answer)

    def _last_words(self) -> str:
        files = [self.site.folder / "output", self.site.folder / "log"]
        return "\n".join(path.read_text()[-2000:] for path in files if path.exists())


def _log_settings(folder: Path) -> dict[str, Any]:
    handler = {"class": "logging.FileHandler", "formatter": "line", "filename": str(folder / "log")}
    return {
        "version": 1,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "handlers": {"file": handler},
        "root": {"level": "WARNING", "handlers": ["file"]},
        "disable_existing_loggers": False,
    }


def _rates(*, throttled: bool) -> dict[str, Any]:
    wide = {"per_second": 10_000, "burst_count": 10_000}
    rate = {"per_second": 0.5, "burst_count": 3} if throttled else wide
    return {
        "rc_message": rate,
        "rc_login": {"address": rate, "account": rate, "failed_attempts": rate},
        "rc_registration": wide,
        "rc_joins": {"local": wide, "remote": wide},
        "rc_invites": {"per_room": wide, "per_user": wide, "per_issuer": wide},
        "rc_admin_redaction": wide,
        "rc_key_requests": wide,
        "rc_room_creation": wide,
    }
