"""The product as it is really served: a process of its own on a free port, with a database of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

CHECKOUT = Path(__file__).resolve().parents[2]
START_SECONDS = 30
STOP_SECONDS = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(database: Path, port: int) -> dict[str, str]:
    given = {"DATABASE_URL": f"sqlite:///{database}", "HOST": "127.0.0.1", "PORT": str(port), "DEBUG": "1"}
    return os.environ | given | {"LOG_LEVEL": "WARNING"}


def prepare_database(database: Path, *, players: int) -> None:
    """Migrated, with the demo people and as many of the players of `tests.journeys.people`."""
    command = [sys.executable, "-m", "tests.journeys.people", str(players)]
    subprocess.run(command, cwd=CHECKOUT, env=environment(database, 0), check=True, stdout=subprocess.DEVNULL)


class Served:
    """`start` and `stop` as often as a journey needs, always on the same port and database."""

    def __init__(self, directory: Path, prepared: Path) -> None:
        self.database = directory / "db.sqlite3"
        shutil.copy(prepared, self.database)
        self.log = directory / "server.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "serve"],
                cwd=CHECKOUT,
                env=environment(self.database, self.port),
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"the server did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/readyz", timeout=1) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(STOP_SECONDS)
        self._process = None
