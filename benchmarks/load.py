"""The load generator: one process, raw frames over one uvloop protocol a connection, so that it is not the limit.

Run as a process of its own: a JSON `Load` on standard input, a JSON result on standard output.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import resource
import socket
import sys
import time
from array import array
from collections import deque
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal

import psutil
import uvloop

CONNECTING_AT_ONCE = 64
GIVE_UP_SECONDS = 120
#: Zeros are a mask like any other (RFC 6455, 5.3): the server unmasks just the same, and the client saves the work.
MASK = b"\0\0\0\0"

LINES = (
    "work was busy today and I forgot my lunch on the kitchen table",
    "my sister visited and we talked about moving the furniture",
    "I slept better last night, about six hours",
    "the exam is on friday and I don't feel ready at all",
    "the village by the river was quiet when we got there",
    "I tried the breathing thing and it helped a little",
    "not sure what to say today",
    "everybody at the party seemed to know each other except me",
    "my manager liked the report, so I have a bit more room this week",
    "I walked the dog for an hour and the light over the fields was nice",
    "can we talk about what happened with my friend?",
    "the new flat is bigger and the neighbours are friendly so far",
    "ok",
    "the dragon burned down the bridge so we had to swim",
    "I keep checking my phone to see whether he has written, and it makes me nervous every single time",
    "my mom called and we talked for a while, it was good",
    "I am proud of myself, I finished the whole thing",
    "I get so angry when people don't listen to me",
    "what would you do if you were in my place?",
    "school starts again next week and I have to get up early every morning, which I was never good at",
)


@dataclass
class Load:
    """What to do to a server. `tokens`: a file with an access token a line, one for each connection."""

    port: int
    connections: int
    mode: Literal["closed", "rate", "idle"]
    pids: list[int]
    path: str = "/"
    tokens: str = ""
    has_welcome: bool = False
    seconds: float = 3.0
    warmup_seconds: float = 0.7
    rate: int = 1000


@dataclass
class Result:
    """Latencies in milliseconds; CPU of the server in microseconds a message; memory in KB a connection."""

    messages_a_second: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    cpu: float = 0.0
    connects_a_second: float = 0.0
    memory: float = 0.0
    client_busy: float = 0.0  # share of its core that this process used
    errors: int = 0
    crises: int = 0  # answers to danger, of which the lines above hold none
    first_answers: list[float] = field(default_factory=list)


class Run:
    """What all connections share."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.is_going = False
        self.is_counting = False
        self.latencies = array("d")
        self.first_answers = array("d")
        self.errors = self.crises = 0
        self.ids = count(time.time_ns())  # no run repeats another's: a message sent twice is not stored twice


class Connection(asyncio.Protocol):
    """One player, who begins at a line of their own. `waiting` holds when each unanswered message was sent, or should have been."""

    def __init__(self, run: Run, token: str, place: int) -> None:
        self.run, self.token, self.place = run, token, place
        self.buffer = b""
        self.is_upgraded = False
        self.waiting: deque[float] = deque()
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.said = 0
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        protocols = f"Sec-WebSocket-Protocol: chat.v1, bearer.{self.token}\r\n" if self.token else ""
        transport.write(
            f"GET {self.run.load.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.run.load.port}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Version: 13\r\n{protocols}\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("closed before it was ready"))
        elif self.run.is_going:
            self.run.errors += 1

    def data_received(self, data: bytes) -> None:
        data = self.buffer + data if self.buffer else data
        if not self.is_upgraded:
            data = self._upgrade(data)
        place, end = 0, len(data)
        while end - place >= 2:
            length, start = data[place + 1], place + 2
            if length == 126:
                length, start = int.from_bytes(data[place + 2 : place + 4], "big"), place + 4
            elif length == 127:
                length, start = int.from_bytes(data[place + 2 : place + 10], "big"), place + 10
            if start + length > end:
                break
            self._frame(data[place] & 0x0F, data[start : start + length])
            place = start + length
        self.buffer = data[place:]

    def _upgrade(self, data: bytes) -> bytes:
        head, separator, rest = data.partition(b"\r\n\r\n")
        if not separator:
            self.buffer = data
            return b""
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            self.ready.set_exception(ConnectionError(head.split(b"\r\n", 1)[0].decode()))
        self.is_upgraded = True
        if not self.run.load.has_welcome and not self.ready.done():
            self.ready.set_result(None)
        return rest

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == 0x1:
            self._text(payload)
        elif opcode == 0x9:
            self.transport.write(b"\x8a" + bytes([0x80 | len(payload)]) + MASK + payload)

    def _text(self, payload: bytes) -> None:
        """An echo answers by itself; of the product's frames only a reply does (not an ack, nor a notice)."""
        if self.run.load.has_welcome and b'"role":"assistant"' not in payload:
            if not self.ready.done():
                self.ready.set_result(None)
            elif b'"event":"error"' in payload:
                self.run.errors += 1
            return
        self.run.crises += b'"crisis":true' in payload
        if self.waiting:
            self._answered(time.perf_counter() - self.waiting.popleft())

    def _answered(self, seconds: float) -> None:
        run = self.run
        if run.is_counting:
            run.latencies.append(seconds)
        if self.said == 1:
            run.first_answers.append(seconds)
        if run.is_going and run.load.mode == "closed":
            self.say(time.perf_counter())

    def say(self, at: float) -> None:
        number = next(self.run.ids)
        text = LINES[(self.place + self.said) % len(LINES)]
        payload = b'{"type":"user_message","id":"c%d","content":{"text":"%s"}}' % (number, text.encode())
        length = len(payload)
        head = bytes((0x81, 0x80 | length)) if length < 126 else b"\x81\xfe" + length.to_bytes(2, "big")
        self.said += 1
        self.waiting.append(at)
        self.transport.write(head + MASK + payload)


async def connect(run: Run) -> list[Connection]:
    load = run.load
    tokens = Path(load.tokens).read_text().split() if load.tokens else [""] * load.connections
    gate = asyncio.Semaphore(CONNECTING_AT_ONCE)
    loop = asyncio.get_running_loop()

    async def one(token: str, place: int) -> Connection:
        async with gate:
            _, connection = await loop.create_connection(
                lambda: Connection(run, token, place), "127.0.0.1", load.port, family=socket.AF_INET
            )
            await connection.ready
            return connection

    async with asyncio.timeout(GIVE_UP_SECONDS):
        return await asyncio.gather(*map(one, tokens[: load.connections], count()))


async def answer_each_once(run: Run, connections: list[Connection]) -> None:
    """The first message of a player reads their state and opens a session; it is timed by itself."""
    for connection in connections:
        connection.say(time.perf_counter())
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while len(run.first_answers) < len(connections):
            await asyncio.sleep(0.01)


async def speak_at_rate(run: Run, connections: list[Connection]) -> None:
    """Each message has its time, whether the earlier ones were answered or not; latency counts from that time."""
    start = time.perf_counter()
    for number in count():
        at = start + number / run.load.rate
        while (wait := at - time.perf_counter()) > 0:
            await asyncio.sleep(min(wait, 0.001))
        if not run.is_going:
            return
        connections[number % len(connections)].say(at)


def server_seconds(pids: list[int]) -> float:
    """CPU time, own and the system's for it, of the server's processes so far."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(t.user + t.system for t in times)


def memory_of(pids: list[int]) -> float:
    return sum(psutil.Process(pid).memory_info().rss for pid in pids) / 1024


def own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def percentile(sorted_values: list[float], share: float) -> float:
    return (
        sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))] if sorted_values else 0.0
    )


async def measure(load: Load) -> Result:
    run, result = Run(load), Result()
    memory = memory_of(load.pids)
    started = time.perf_counter()
    connections = await connect(run)
    result.connects_a_second = load.connections / (time.perf_counter() - started)
    if load.mode == "idle":
        await asyncio.sleep(load.seconds)
        result.memory = (memory_of(load.pids) - memory) / load.connections
    else:
        await speak(run, connections, result)
    run.is_going = False
    for connection in connections:
        connection.transport.abort()
    return result


async def speak(run: Run, connections: list[Connection], result: Result) -> None:
    load = run.load
    await answer_each_once(run, connections)
    run.is_going = True
    speaking = None
    if load.mode == "rate":
        speaking = asyncio.create_task(speak_at_rate(run, connections))
    else:
        for connection in connections:
            connection.say(time.perf_counter())
    await asyncio.sleep(load.warmup_seconds)
    run.is_counting = True
    started, server, own = time.perf_counter(), server_seconds(load.pids), own_seconds()
    await asyncio.sleep(load.seconds)
    run.is_counting = False
    elapsed = time.perf_counter() - started
    answered = len(run.latencies)
    result.cpu = (server_seconds(load.pids) - server) * 1e6 / max(1, answered)
    result.client_busy = (own_seconds() - own) / elapsed
    result.messages_a_second = answered / elapsed
    latencies = sorted(seconds * 1000 for seconds in run.latencies)
    result.p50, result.p99 = percentile(latencies, 0.5), percentile(latencies, 0.99)
    result.first_answers = sorted(seconds * 1000 for seconds in run.first_answers)
    result.errors, result.crises = run.errors, run.crises
    if speaking is not None:
        run.is_going = False
        await speaking


if __name__ == "__main__":
    json.dump(asdict(uvloop.run(measure(Load(**json.load(sys.stdin))))), sys.stdout)
