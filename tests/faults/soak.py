"""Holds many sockets with churn and fails when something keeps growing: `python -m tests.faults.soak`.

SOCKETS (1000) sockets on one process for MINUTES (10). Each second some are cut and come back, and some players talk.
After a third of the time a line is laid through what is left, for memory, tasks, threads, file descriptors,
database connections, and Redis' keys and subscriptions.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.faults.clients import Device, devices
from tests.faults.servers import Postgres, PostgresStore, Redis, Server

SOCKETS_PER_PLAYER = 5
SAMPLE_SECONDS = 2.0
MIB = 1024 * 1024
#: What may be gained from the first to the last sample, in units of each: the share of the mean, and at least so much.
TOLERANCES = {
    "memory": (0.04, 6.0),
    "tasks": (0.02, 10),
    "threads": (0, 2),
    "files": (0.02, 10),
    "database connections": (0, 2),
    "redis keys": (0, 2),
    "redis channels": (0.02, 10),
}


@dataclass
class Soaked:
    server: Server
    cluster: Postgres
    redis: Redis

    def sample(self) -> dict[str, float]:
        process = psutil.Process(self.server.pid)
        (count,) = self.cluster.run("SELECT count(*) FROM pg_stat_activity WHERE usename = 'chat'")[0]
        return {
            "memory": process.memory_info().rss / MIB,
            "tasks": self.server.metric("asyncio_tasks"),
            "threads": process.num_threads(),
            "files": process.num_fds(),
            "database connections": count,
            "redis keys": int(self.redis.command("DBSIZE").strip(b":\r\n")),
            "redis channels": self.redis.command("PUBSUB", "CHANNELS").count(b"$"),
        }


def gain(values: list[float]) -> float:
    """What the line through them (least squares) gains from the first to the last."""
    middle, mean = (len(values) - 1) / 2, sum(values) / len(values)
    spread = sum((n - middle) ** 2 for n in range(len(values)))
    slope = sum((n - middle) * (value - mean) for n, value in enumerate(values)) / spread
    return slope * (len(values) - 1)


def growing(samples: list[dict[str, float]]) -> list[str]:
    """Prints a line for each thing that was measured; what has grown."""
    found = []
    for name, (share, least) in TOLERANCES.items():
        values = [sample[name] for sample in samples]
        gained, allowed = gain(values), max(least, share * sum(values) / len(values))
        is_growing = gained > allowed
        verdict = "GROWS" if is_growing else "ok"
        print(
            f"{name:22} {values[0]:9.1f} -> {values[-1]:9.1f}   trend {gained:+8.1f} of {allowed:6.1f}   {verdict}"
        )
        found += [name] if is_growing else []
    return found


async def churn(made: list[Device], minutes: float, soaked: Soaked) -> list[dict[str, float]]:
    samples = []
    ends_at = time.monotonic() + 60 * minutes
    sampled_at = 0.0
    while time.monotonic() < ends_at:
        for device in random.sample(made, len(made) // 50):
            device.cut()
        for device in random.sample(made, len(made) // 50):
            await device.say()
            device.frames.clear()
        if time.monotonic() - sampled_at > SAMPLE_SECONDS:
            sampled_at = time.monotonic()
            samples.append(await asyncio.to_thread(soaked.sample))
        await asyncio.sleep(1)
    return samples[len(samples) // 3 :]


async def soak(sockets: int, minutes: float, soaked: Soaked) -> list[str]:
    store = soaked.server.store
    async with devices(store.players, soaked.server.socket_url, each=SOCKETS_PER_PLAYER) as made:
        print(f"{len(made)} sockets are open, for {minutes:g} minutes", flush=True)
        samples = await churn(made, minutes, soaked)
        came_back = sum(device.connects - 1 for device in made)
        said = sum(len(device.record.acknowledged) for device in made)
        print(f"{came_back} came back, {said} messages were acknowledged, {len(samples)} samples")
    return growing(samples)


def main() -> int:
    sockets, minutes = int(os.environ.get("SOCKETS", "1000")), float(os.environ.get("MINUTES", "10"))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = Postgres().start()
        stack.callback(cluster.remove)
        cluster.run("CREATE ROLE chat LOGIN")
        store: PostgresStore = cluster.create("chat")
        store.prepare(-(-sockets // SOCKETS_PER_PLAYER))
        redis = Redis(directory).start()
        stack.callback(redis.kill)
        server = Server(
            store, directory, redis_url=redis.url, faults=os.environ.get("SOAK_FAULTS", "counts_tasks")
        )
        stack.callback(server.kill)
        server.start()
        found = asyncio.run(soak(sockets, minutes, Soaked(server, cluster, redis)))
    print(f"Growing: {', '.join(found)}" if found else "Nothing grows.")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
