"""The real processes that the tests break: the served chat, PostgreSQL and Redis.

Each runs on a free port in a directory of its own; nothing that runs on the machine already is touched.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import psycopg
import pytest

from tests.faults.history import Row

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {
    "SECRET_KEY": "only for tests that break things, 0123456789",
    "JWT_SIGNING_KEY": "only for tests that break things, abcdefghij",
    "FIELD_ENCRYPTION_KEYS": base64.urlsafe_b64encode(bytes(range(32))).decode(),
}
START_SECONDS = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(is_so: Callable[[], object], what: str, seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def program(*names: str) -> str:
    """The path of a program; without it the test is skipped, but in CI it fails."""
    places = [*os.environ["PATH"].split(":"), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    for name in names:
        found = shutil.which(name, path=":".join(places))
        if found:
            return found
    missing = f"{' or '.join(names)} is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


# --- databases ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Player:
    id: int
    name: str
    token: str


_LOG = (
    "SELECT player_id, seq, id, client_id, role, in_reply_to, is_awaiting_reply FROM therapy_message"
    " ORDER BY player_id, seq"
)
_MARKERS = "SELECT player_id, run_id FROM therapy_progressmarker WHERE run_id IS NOT NULL"


@dataclass
class Store:
    """A migrated database with players and an access token for each."""

    url: str
    players: list[Player] = field(default_factory=list)

    def select(self, query: str) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def log(self) -> list[Row]:
        return [
            Row(
                int(player),
                int(seq),
                str(UUID(str(id))),
                client_id,
                role,
                str(UUID(str(to))) if to else None,
                bool(awaits),
            )
            for player, seq, id, client_id, role, to, awaits in self.select(_LOG)
        ]

    def markers(self) -> list[tuple[int, str]]:
        return [(int(player), str(run)) for player, run in self.select(_MARKERS)]

    def head(self, player: Player) -> int:
        (row,) = self.select(
            f"SELECT coalesce(max(seq), 0) FROM therapy_message WHERE player_id = {player.id}"
        )
        return int(row[0])

    def prepare(self, count: int) -> None:
        """Migrate, and make players p0, p1, ... with tokens that are good for a day."""
        manage("migrate", "--verbosity", "0", database_url=self.url)
        names = [f"p{n}" for n in range(count)]
        tokens = manage("issue_token", *names, "--seconds", "86400", database_url=self.url).split()
        ids = {str(name): int(id) for id, name in self.select("SELECT id, username FROM auth_user")}
        self.players = [Player(ids[name], name, token) for name, token in zip(names, tokens, strict=True)]


class SQLiteStore(Store):
    @property
    def path(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))

    def select(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path, timeout=10)) as database:
            return database.execute(query).fetchall()

    def copy_to(self, directory: Path) -> SQLiteStore:
        copy = SQLiteStore(f"sqlite:///{directory / 'chat.sqlite3'}", self.players)
        with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(copy.path)) as target:
            source.backup(target)
        return copy


class PostgresStore(Store):
    def select(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as database:
            return database.execute(query).fetchall()


def manage(*arguments: str, database_url: str, **environment: str) -> str:
    """Run a management command; what it printed."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **SECRETS, "DEBUG": "1", "DATABASE_URL": database_url, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- processes ---------------------------------------------------------------------------------------


class Process:
    """A process group that can be killed, frozen and ended."""

    def __init__(self) -> None:
        self.popen: subprocess.Popen[bytes] | None = None

    def _spawn(self, command: list[str], log: Path, **options: Any) -> None:
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                command, stdout=output, stderr=output, start_new_session=True, **options
            )

    @property
    def is_running(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    @property
    def pid(self) -> int:
        assert self.popen is not None
        return self.popen.pid

    def signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        if self.popen is not None:
            self.signal(signal.SIGKILL)
            self.popen.wait()

    def wait(self, seconds: float = 30) -> int:
        assert self.popen is not None
        return self.popen.wait(seconds)


class Server(Process):
    """The served chat: uvicorn with `workers` processes, or Daphne.

    `faults` names what is wrong with it (tests.faults.served).
    """

    def __init__(
        self,
        store: Store,
        directory: Path,
        *,
        redis_url: str = "",
        workers: int = 1,
        is_daphne: bool = False,
        faults: str = "",
        **environment: str,
    ) -> None:
        super().__init__()
        self.store, self.is_daphne = store, is_daphne
        self.port = free_port()
        self.log = directory / f"server-{self.port}.log"
        self.faults = faults
        self.environment = {
            **SECRETS,
            "DEBUG": "0",
            "ALLOWED_HOSTS": "127.0.0.1",
            "CHAT_ALLOWED_ORIGINS": "http://127.0.0.1",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "DATABASE_URL": store.url,
            "WORKERS": str(workers),
            "CHAT_RATE_LIMIT": "100000/second",
            **({"REDIS_URL": redis_url} if redis_url else {}),
            **environment,
        }

    def launch(self) -> None:
        serve = ["runserver", "--noreload", f"127.0.0.1:{self.port}"] if self.is_daphne else ["serve"]
        self._spawn(
            [sys.executable, "-m", "tests.faults.served", *serve],
            self.log,
            cwd=ROOT,
            env={**os.environ, **self.environment, "SERVED_FAULTS": self.faults},
        )

    def start(self) -> Server:
        self.launch()

        def is_up() -> bool:
            assert self.is_running, self.log.read_text()[-3000:]
            return self.get("/healthz")[0] == 200

        wait_for(is_up, "the server answers")
        return self

    def get(self, path: str, token: str | None = None, seconds: float = 2) -> tuple[int, str]:
        """Status and body; status 0 where there is no answer."""
        return self._ask(urllib.request.Request(self.url + path), token, seconds)

    def post(self, path: str, body: bytes, token: str | None = None) -> tuple[int, str]:
        headers = {"Content-Type": "application/json"}
        return self._ask(urllib.request.Request(self.url + path, body, headers), token, 10)

    def _ask(self, request: urllib.request.Request, token: str | None, seconds: float) -> tuple[int, str]:
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=seconds) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except (OSError, ValueError):
            return 0, ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/chat"

    def stop(self) -> int:
        """As a supervisor ends it; the exit status."""
        os.kill(self.pid, signal.SIGTERM)
        return self.wait()

    def workers(self) -> list[psutil.Process]:
        """The processes that serve, without the supervisor of several."""
        own = psutil.Process(self.pid)
        children = [child for child in own.children() if "spawn_main" in " ".join(child.cmdline())]
        return children or [own]

    def memory_bytes(self) -> int:
        return sum(int(worker.memory_info().rss) for worker in self.workers())

    def metric(self, name: str) -> float:
        """The sum over all labels of one metric."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(
            float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name
        )


class Redis(Process):
    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.binary, self.directory, self.port = program("redis-server"), directory, free_port()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> Redis:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._spawn([self.binary, *options], self.directory / "redis.log", cwd=self.directory)
        wait_for(self._answers, "Redis answers")
        return self

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16) == b"+PONG\r\n"
        return False

    def command(self, *words: str) -> bytes:
        """One inline command's answer."""
        with socket.create_connection(("127.0.0.1", self.port), 2) as connection:
            connection.sendall(" ".join(words).encode() + b"\r\n")
            return connection.recv(65536)


class Postgres:
    """A cluster of its own. PostgreSQL refuses to run as root, so root runs it as `postgres`."""

    def __init__(self) -> None:
        initdb = program("initdb")
        self.bin = Path(initdb).parent
        self.directory = Path(tempfile.mkdtemp(prefix="chat-postgres-"))
        self.port = free_port()
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")
            self._as = {"user": "postgres", "group": "postgres", "extra_groups": []}
        self._run(
            initdb, "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"
        )

    @property
    def data(self) -> str:
        return str(self.directory / "data")

    def _run(self, *command: str, is_checked: bool = True) -> None:
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, cwd="/", check=is_checked, **quiet, **self._as)

    def start(self, settings: str = "") -> Postgres:
        options = f"{settings} -p {self.port} -c listen_addresses=127.0.0.1 -k {self.directory} -c max_connections=40"
        self._run(
            str(self.bin / "pg_ctl"), "-D", self.data, "-o", options, "-w", "-l", f"{self.data}.log", "start"
        )
        return self

    def stop(self, mode: str = "immediate") -> None:
        self._run(str(self.bin / "pg_ctl"), "-D", self.data, "-m", mode, "-w", "stop", is_checked=False)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, database: str, role: str = "chat") -> str:
        return f"postgres://{role}@127.0.0.1:{self.port}/{database}"

    def run(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as database:
            result = database.execute(query)
            return result.fetchall() if result.description else []

    def create(self, name: str, template: str = "template1") -> PostgresStore:
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} OWNER chat")
        return PostgresStore(self.url(name))
