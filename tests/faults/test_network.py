"""Bad networks and bad clients: those who stop reading, vanish, are cut off in a word, come all at once or never stop."""

from __future__ import annotations

import asyncio
import json
import random
import socket as sockets
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection

from tests.faults.clients import assert_whole, devices, how_it_ends, open_socket, talking, until
from tests.faults.proxy import proxy
from tests.faults.servers import Server, SQLiteStore

Serve = Callable[..., Server]
Span = Callable[[float, float], float]
Note = Callable[[str], None]
MIB = 1024 * 1024
CALM = "The baker sold bread and the river was calm. " * 150


def unread_socket(port: int) -> sockets.socket:
    """A connection with little room in its network for what it does not read."""
    connection = sockets.socket()
    connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    connection.setblocking(False)
    return connection


async def test_reader_that_stops_is_closed_and_costs_no_memory(
    serve: Serve, sqlite: SQLiteStore, seconds: Span, note: Note
) -> None:
    server = serve(sqlite, faults=f"sends_into=16384,stalls_after={seconds(2, 10)}")
    ana = sqlite.players[0]
    connection = unread_socket(server.port)
    async with (
        devices([ana], server.socket_url) as (speaker,),
        open_socket(server.socket_url, ana.token, sock=connection, max_queue=1) as stopped,
    ):
        await stopped.recv()
        stopped.transport.pause_reading()
        for _ in range(50):
            await speaker.acknowledged(await speaker.say(CALM))
        assert server.metric("chat_connections_open") == 2  # loads what it needs, before memory is looked at
        before = peak = server.memory_bytes()
        ending = asyncio.create_task(read_on_when_let_go(stopped, server))
        for _ in range(int(seconds(120, 2000))):
            await speaker.acknowledged(await speaker.say(CALM))
            peak = max(peak, server.memory_bytes())
        assert await ending == (1013, "slow_reader")
        note(f"a reader that stopped cost {(peak - before) / MIB:.1f} MiB")
        assert peak - before < 10 * MIB
        assert max(speaker.answered_in) < 2


async def read_on_when_let_go(stopped: ClientConnection, server: Server) -> tuple[int, str]:
    """Soon after, for the server does not wait long for its close to be read."""
    await until(lambda: server.metric("chat_connections_open") == 1, "it is let go", every=0.25)
    stopped.transport.resume_reading()
    return await how_it_ends(stopped)


async def test_half_open_connection_is_noticed_by_both_sides(serve: Serve, sqlite: SQLiteStore) -> None:
    server = serve(sqlite, faults="pings_every=1")
    patience = {"ping_interval": 1, "ping_timeout": 1}
    async with (
        proxy(server.port) as between,
        devices(sqlite.players[:2], between.url, each=2, **patience) as made,
    ):
        async with talking(made, every=0.2):
            between.is_swallowing = True
            await until(lambda: server.metric("chat_connections_open") == 0, "the server lets go", 10)
            between.is_swallowing = False
            await until(lambda: all(device.connects == 2 for device in made), "everybody is back", 10)
        await assert_whole(sqlite, made)


async def test_cut_in_the_middle_of_a_frame_loses_and_doubles_nothing(
    serve: Serve, sqlite: SQLiteStore, seconds: Span
) -> None:
    server = serve(sqlite)
    async with proxy(server.port) as between, devices(sqlite.players[:2], between.url, each=2) as made:
        async with talking(made, every=0.05):
            for _ in range(int(seconds(15, 200))):
                between.cut_after = random.randrange(1, 6000)
                await until(lambda: between.cut_after is None, "a cut")
        await assert_whole(sqlite, made)
        assert max(device.connects for device in made) > 5


async def test_storm_of_500_reconnects_is_weathered(serve: Serve, sqlite: SQLiteStore, note: Note) -> None:
    server = serve(sqlite)
    async with devices(sqlite.players, server.socket_url, each=5) as made:
        for device in made[::5]:
            await device.say()
        server.kill()
        await asyncio.to_thread(server.start)
        took = await until(lambda: all(device.connects == 2 for device in made), "everybody is back", 60)
        await assert_whole(sqlite, made)
        note(f"500 sockets were back {took:.1f} s after the server answered")
        assert took < 20


async def test_flood_of_10000_frames_is_throttled_and_hurts_nobody_else(
    serve: Serve, sqlite: SQLiteStore, note: Note
) -> None:
    server = serve(sqlite, CHAT_RATE_LIMIT="10/2second")
    ana, cleo = sqlite.players[:2]
    async with devices([cleo], server.socket_url) as (other,):
        before = server.memory_bytes()
        async with open_socket(server.socket_url, ana.token) as flooding:
            reading = asyncio.create_task(errors_in(flooding))
            sending = asyncio.create_task(flood(flooding, 10_000))
            pings = []
            while not reading.done():
                pings.append(await other.ping())
                await asyncio.sleep(0.5)
            sending.cancel()
            refused = await reading
        note(
            f"{refused['rate_limited']} of 10,000 frames of a flood were refused;"
            f" the slowest pong of another player took {1000 * max(pings):.0f} ms"
        )
        assert refused["rate_limited"] > 9_900
        assert max(pings) < 1, pings
        assert server.memory_bytes() - before < 30 * MIB
        await other.acknowledged(await other.say(), 1)


async def flood(connection: object, count: int) -> None:
    for number in range(count):
        frame = {"type": "user_message", "id": f"f{number}", "content": {"text": f"again {number}"}}
        await connection.send(json.dumps(frame))  # type: ignore[attr-defined]
    while True:  # it is refused as well, until all that was sent before is dealt with
        await asyncio.sleep(1)
        await connection.send(json.dumps({"type": "ping", "id": "last"}))  # type: ignore[attr-defined]


async def errors_in(connection: object) -> dict[str, int]:
    """How often each code came, until the pong to the last ping: the socket has lived through it."""
    counts: dict[str, int] = {}
    async for text in connection:  # type: ignore[attr-defined]
        frame = json.loads(text)
        if frame["metadata"].get("in_reply_to") == "last":
            return counts
        code = frame["content"].get("code", "")
        counts[code] = counts.get(code, 0) + 1
    raise AssertionError("the socket was closed")


async def test_handler_that_raises_costs_an_error_frame_and_no_words(
    serve: Serve, sqlite: SQLiteStore
) -> None:
    for where in ("turn", "reader"):
        server = serve(sqlite, faults=f"raises={where}")
        async with devices(sqlite.players[:1], server.socket_url) as (device,):
            await device.say("please raise canary-4711")
            error = (await device.event("error"))["content"]
            assert (error["code"], "canary" in json.dumps(error)) == ("internal", False)
            device.unacknowledged.clear()
            await device.acknowledged(await device.say())
            assert device.connects == 1
        assert "canary-4711" not in server.log.read_text()
