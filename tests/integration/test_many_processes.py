"""Two workers, PostgreSQL and Redis: a player's devices see one conversation, whichever process each is at."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.clients import (
    Device,
    Frame,
    assert_whole,
    devices,
    how_it_ends,
    open_socket,
    talking,
    until,
)
from tests.faults.fixtures import Chat
from tests.faults.servers import Server, SQLiteStore, wait_for


def durable(device: Device) -> dict[int, Frame]:
    """The frames of the log that a device was shown, by seq."""
    shown = [frame for frame in device.frames if frame["content"].get("event") not in ("ack", "welcome")]
    return {frame["metadata"]["seq"]: frame for frame in shown if "seq" in frame["metadata"]}


async def test_devices_at_two_workers_see_the_same_frames(chat: Chat) -> None:
    ana, cleo = chat.player(), chat.player()
    async with chat.apart(ana) as (phone, laptop), chat.apart(cleo) as others:
        async with talking([phone, laptop, *others], every=0.1):
            await asyncio.sleep(1.5)
        await assert_whole(chat.store, [phone, laptop, *others])
    one, two = durable(phone), durable(laptop)
    assert len(one.keys() & two.keys()) > 5
    assert [one[seq] for seq in sorted(one.keys() & two.keys())] == [
        two[seq] for seq in sorted(one.keys() & two.keys())
    ]


async def test_markers_are_the_same_whichever_worker_an_exercise_goes_through(chat: Chat) -> None:
    ana = chat.player()
    async with chat.apart(ana) as (phone, laptop):
        await phone.acknowledged(await phone.press("ex_breathing"))
        await until(lambda: laptop.cursor == 2, "the other device has heard")
        for device in (laptop, phone):
            await device.press("ex_breathing_complete")
        await until(
            lambda: not (phone.unacknowledged or laptop.unacknowledged), "one is told so, one refused"
        )
        await assert_whole(chat.store, [phone, laptop])
    assert len([player for player, _ in chat.store.markers() if player == ana.id]) == 1


async def test_frame_sent_to_two_workers_is_processed_once(chat: Chat) -> None:
    ana = chat.player()
    async with chat.apart(ana) as made:
        text = json.dumps({"type": "user_message", "id": "same", "content": {"text": "I walked home"}})
        await asyncio.gather(*(device.send_raw("same", text) for device in made))
        await asyncio.gather(*(device.acknowledged("same") for device in made))
        await assert_whole(chat.store, made)
    acks = [f["content"] for device in made for f in device.frames if f["content"].get("event") == "ack"]
    assert sorted(ack["duplicate"] for ack in acks) in (
        [False, True],
        [False],
    )  # or heard from the other first
    assert chat.store.head(ana) == 2


async def test_same_id_with_another_body_is_refused_by_the_other_worker(chat: Chat) -> None:
    async with chat.apart(chat.player()) as (phone, laptop):
        await phone.send_raw("one", '{"type":"user_message","id":"one","content":{"text":"I walked home"}}')
        await phone.acknowledged("one")
        await laptop.send_raw("one", '{"type":"user_message","id":"one","content":{"text":"I stayed"}}')
        error = await laptop.event("error")
        assert error["content"]["code"] == "id_reused"


async def test_redis_is_told_ids_and_numbers_only(chat: Chat) -> None:
    ana = chat.player()
    with monitored(chat.redis.port) as told:
        async with chat.apart(ana) as (phone, laptop):
            said = await phone.say("canary-4711 flew over the garden")
            await until(lambda: any(s.client_id == said for s in laptop.record.seen), "the other device")
    text = b"".join(told)
    assert b"log.appended" in text
    for canary in (b"canary", b"garden", ana.name.encode() + b'"', ana.token.encode()):
        assert canary not in text


class monitored:
    """All commands that Redis gets meanwhile."""

    def __init__(self, port: int) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.told: list[bytes] = []

    def __enter__(self) -> list[bytes]:
        self.connection.sendall(b"MONITOR\r\n")
        self.thread = threading.Thread(target=self._listen)
        self.thread.start()
        wait_for(lambda: self.told, "MONITOR answers")
        return self.told

    def _listen(self) -> None:
        while data := self.connection.recv(65536):
            self.told.append(data)

    def __exit__(self, *_: object) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.connection.close()


async def test_subscription_that_was_idle_still_wakes(
    chat: Chat, seconds: Callable[[float, float], float]
) -> None:
    """redis-py's own socket timeout would end it after 5 s (channels_redis#422)."""
    async with chat.apart(chat.player()) as (phone, laptop):
        await asyncio.sleep(seconds(7, 15))
        said = await phone.say()
        await until(lambda: any(s.client_id == said for s in laptop.record.seen), "the other device", 1)
        assert (phone.connects, laptop.connects) == (1, 1)


async def test_ninth_socket_of_a_player_closes_the_oldest_in_whichever_process(chat: Chat) -> None:
    ana = chat.player()
    async with (
        chat.apart(ana) as (oldest, second),
        devices([ana], chat.server.socket_url, each=6) as others,
    ):
        await asyncio.sleep(0.3)
        assert not oldest.closes
        oldest.stop_coming_back()
        async with devices([ana], chat.server.socket_url):
            await until(lambda: oldest.closes, "the oldest is closed", 3)
            assert oldest.closes == [(1008, "too_many_connections")]
            await asyncio.sleep(0.3)
            assert [device.closes for device in [second, *others]] == [[]] * 7


async def test_twelve_sockets_at_once_leave_the_player_with_eight(chat: Chat) -> None:
    made = [Device(ana, chat.server.socket_url) for ana in [chat.player()] for _ in range(12)]
    for device in made:
        device.start()
        device.stop_coming_back()
    try:
        await until(lambda: all(device.connects or device.closes for device in made), "all came in")
        # Two that open at the same moment in two processes may miss each other until they are announced again.
        await until(lambda: sum(bool(device.closes) for device in made) >= 4, "four are closed", 15)
        await asyncio.sleep(0.5)
        closed = [device.closes for device in made if device.closes]
        assert closed == [[(1008, "too_many_connections")]] * 4
    finally:
        await asyncio.gather(*(device.stop() for device in made))


async def test_metrics_are_summed_over_the_workers(chat: Chat) -> None:
    async with chat.apart(chat.player()):
        totals = {chat.server.metric("chat_connections_open") for _ in range(6)}
    assert len(totals) == 1
    assert totals.pop() >= 2


def test_two_workers_without_redis_do_not_start(sqlite: SQLiteStore, tmp_path: Path) -> None:
    server = Server(sqlite, tmp_path, workers=2)
    server.launch()
    assert server.wait() != 0
    assert "REDIS_URL" in server.log.read_text()


async def test_process_that_is_full_asks_to_come_back_later(
    serve: Callable[..., Server], sqlite: SQLiteStore
) -> None:
    server = serve(sqlite, CHAT_MAX_CONNECTIONS="2")
    async with (
        devices(sqlite.players[:2], server.socket_url),
        open_socket(server.socket_url, sqlite.players[2].token) as third,
    ):
        assert json.loads(await third.recv())["content"]["code"] == "overloaded"
        assert await how_it_ends(third) == (1013, "overloaded")
    async with devices(sqlite.players[2:3], server.socket_url) as (third_again,):
        assert third_again.is_welcome


pytestmark = pytest.mark.faults
