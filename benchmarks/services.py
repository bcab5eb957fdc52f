"""What a benchmark runs against: private servers and databases on free ports, in a directory that goes with it."""

from __future__ import annotations

import base64
import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
#: As production, with the throttle lifted: a load generator types faster than a player.
PRODUCT = {
    "DEBUG": "0",
    "SECRET_KEY": secrets.token_urlsafe(50),
    "JWT_SIGNING_KEY": secrets.token_urlsafe(50),
    "FIELD_ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "ALLOWED_HOSTS": "127.0.0.1",
    "CHAT_ALLOWED_ORIGINS": "http://127.0.0.1",
    "CHAT_RATE_LIMIT": "100000/second",
    "HOST": "127.0.0.1",
}


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def wait_until(is_ready: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + START_SECONDS
    while not is_ready():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} did not start")
        time.sleep(0.05)


def is_listening(port: int) -> bool:
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Server:
    port: int
    process: subprocess.Popen[bytes]

    @property
    def pids(self) -> list[int]:
        """Its processes, without the one that only watches workers."""
        children = psutil.Process(self.process.pid).children()
        workers = [child.pid for child in children if "spawn_main" in " ".join(child.cmdline())]
        return workers or [self.process.pid]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()


def start(command: list[str], port: int, log: Path, **environment: str) -> Server:
    """Start a server whose log lines go to a file, as they would."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
            cwd=ROOT,
        )

    def is_up() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"{command} ended: {log.read_text()[-2000:]}")
        return is_listening(port)

    wait_until(is_up, str(command))
    return Server(port, process)


def start_asgi(application: str, folder: Path, **environment: str) -> Server:
    port = free_port()
    log = folder / f"{application.replace(':', '.')}.{port}.log"
    return start(["-m", "benchmarks.serve", application, str(port)], port, log, **environment)


def start_product(folder: Path, **environment: str) -> Server:
    port = free_port()
    given = {**PRODUCT, "PORT": str(port), **environment}
    return start(["manage.py", "serve"], port, folder / f"product.{port}.log", **given)


def run_product(command: list[str], **environment: str) -> None:
    """A command in the product's environment."""
    given = {**os.environ, **PRODUCT, **environment}
    subprocess.run([sys.executable, *command], env=given, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


# --- databases -----------------------------------------------------------------------------------------


def sqlite_url(folder: Path, name: str) -> str:
    return f"sqlite:///{folder / name}.sqlite3"


def _binary(name: str) -> str | None:
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name, path=os.pathsep.join([*map(str, places), os.environ.get("PATH", "")]))


def _as_unprivileged() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    return ["runuser", "-u", "postgres" if "postgres" in names else "nobody", "--"]


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[Callable[[str], str] | None]:
    """A private PostgreSQL as it is installed by default; gives what makes a database and names its URL. None without one."""
    initdb, server, createdb = _binary("initdb"), _binary("postgres"), _binary("createdb")
    if not (initdb and server and createdb):
        yield None
        return
    data, port, user = folder / "postgresql", free_port(), _as_unprivileged()
    data.mkdir()
    if user:
        shutil.chown(data, user[2])
    folder.chmod(0o755)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    subprocess.run([*user, initdb, "-D", str(data), "-U", "bench", "-A", "trust"], check=True, **quiet)  # type: ignore[call-overload]
    options = ["-p", str(port), "-h", "127.0.0.1", "-k", ""]
    process = subprocess.Popen([*user, server, "-D", str(data), *options], **quiet)  # type: ignore[call-overload]

    def make(name: str) -> str:
        subprocess.run([createdb, "-h", "127.0.0.1", "-p", str(port), "-U", "bench", name], check=True)
        return f"postgres://bench@127.0.0.1:{port}/{name}"

    try:
        wait_until(lambda: is_listening(port), "PostgreSQL")
        time.sleep(0.5)
        yield make
    finally:
        pid = int((data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGINT)
        process.wait(30)


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str | None]:
    """A private Redis that stores nothing; None where it is not installed."""
    binary = shutil.which("redis-server")
    if binary is None:
        yield None
        return
    port = free_port()
    options = [
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(folder),
    ]
    process = subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: is_listening(port), "Redis")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(30)
