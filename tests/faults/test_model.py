"""Two devices of a player do what comes to mind, against a model of the log: what is on them is what it says."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from contextlib import ExitStack, suppress
from socket import SHUT_RDWR
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.faults.fixtures import IS_LONG
from tests.faults.history import Record, Seen, violations
from tests.faults.servers import SECRETS, Player, Server

DEVICES = st.integers(0, 1)
_numbers = itertools.count(1)
_versions: dict[int, int] = {}


class SyncDevice:
    """A device that reads when it is told to."""

    def __init__(self, server: Server, player: Player, cursor: int) -> None:
        self.server, self.cursor = server, cursor
        self.record = Record(player.id, f"{player.name}/{next(_numbers)}", start=cursor)
        self.socket: ClientConnection | None = None
        self._closing = ExitStack()

    def connect(self, token: str) -> None:
        opening = connect(
            f"{self.server.socket_url}?since={self.cursor}",
            subprotocols=["chat.v1", f"bearer.{token}"],  # type: ignore[list-item]
            compression=None,
            close_timeout=1,
        )
        self.socket = self._closing.enter_context(opening)

    def drop(self) -> None:
        """Without a goodbye."""
        if self.socket is not None:
            with suppress(OSError):  # it was closed already
                self.socket.socket.shutdown(SHUT_RDWR)
            self._closing.close()
            self.socket = None

    def send(self, **frame: Any) -> None:
        assert self.socket is not None
        self.socket.send(json.dumps(frame))

    def read(self) -> dict[str, Any]:
        assert self.socket is not None
        frame: dict[str, Any] = json.loads(self.socket.recv(timeout=20))
        content, metadata = frame["content"], frame["metadata"]
        if content.get("event") == "ack":
            self.record.acknowledged[metadata["client_id"]] = content["seq"]
            if not content["duplicate"]:
                self._advance(Seen(content["seq"], None, metadata["client_id"]))
        elif metadata.get("seq") and content.get("event") != "welcome" and not metadata.get("duplicate"):
            client_id = metadata.get("client_id")
            self._advance(Seen(metadata["seq"], frame["id"].removeprefix("msg_"), client_id))
        return frame

    def _advance(self, seen: Seen) -> None:
        self.record.seen.append(seen)
        self.cursor = seen.seq

    def read_until(self, **wanted: Any) -> dict[str, Any]:
        while True:
            frame = self.read()
            seen = {**frame["metadata"], **frame["content"]}
            if all(seen.get(key) == value for key, value in wanted.items()):
                return frame


class Conversation(RuleBasedStateMachine):
    server: Server
    players: Any

    def __init__(self) -> None:
        super().__init__()
        self.player = next(self.players)
        self.version = _versions.get(self.player.id, 0)
        self.token = self.mint()
        head = self.server.store.head(self.player)
        self.head = head
        self.said: dict[str, tuple[str, int]] = {}
        self.devices = [SyncDevice(self.server, self.player, head) for _ in "12"]

    def mint(self, kind: str = "access") -> str:
        claims = jwt.decode(self.player.token, options={"verify_signature": False})
        fresh = {
            "exp": int(time.time()) + 600,
            "jti": uuid.uuid4().hex,
            "ver": self.version,
            "token_type": kind,
        }
        return jwt.encode({**claims, **fresh}, SECRETS["JWT_SIGNING_KEY"], "HS256")

    @rule(which=DEVICES)
    def resume(self, which: int) -> None:
        device = self.devices[which]
        device.drop()
        device.connect(self.token)
        welcome = device.read_until(event="welcome")
        assert (welcome["metadata"]["seq"], welcome["metadata"]["resumed"]) == (self.head, True)

    @rule(which=DEVICES)
    def drop(self, which: int) -> None:
        self.devices[which].drop()

    @rule(
        which=DEVICES,
        text=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=50),
    )
    def say(self, which: int, text: str) -> None:
        device = self.devices[which]
        if device.socket is None or not text.strip():
            return
        client_id = f"m{next(_numbers)}"
        device.send(type="user_message", id=client_id, content={"text": text})
        ack = device.read_until(event="ack", client_id=client_id)
        assert (ack["content"]["seq"], ack["content"]["duplicate"]) == (self.head + 1, False)
        self.head += 2
        self.said[client_id] = (text, self.head - 1)

    @precondition(lambda self: self.said)
    @rule(which=DEVICES, data=st.data())
    def say_again(self, which: int, data: st.DataObject) -> None:
        device = self.devices[which]
        if device.socket is None:
            return
        client_id = data.draw(st.sampled_from(sorted(self.said)))
        text, seq = self.said[client_id]
        device.send(type="user_message", id=client_id, content={"text": text})
        ack = device.read_until(event="ack", client_id=client_id, duplicate=True)
        assert ack["content"]["seq"] == seq

    @precondition(lambda self: self.said)
    @rule(which=DEVICES, data=st.data())
    def say_something_else_by_the_same_id(self, which: int, data: st.DataObject) -> None:
        device = self.devices[which]
        if device.socket is None:
            return
        client_id = data.draw(st.sampled_from(sorted(self.said)))
        device.send(type="user_message", id=client_id, content={"text": "something else"})
        assert device.read_until(in_reply_to=client_id, event="error")["content"]["code"] == "id_reused"

    @rule(which=DEVICES)
    def renew(self, which: int) -> None:
        device = self.devices[which]
        if device.socket is None:
            return
        device.send(type="authenticate", id="renewal", content={"token": self.mint()})
        device.read_until(event="authenticated")

    @rule()
    def log_out_and_in(self) -> None:
        body = json.dumps({"refresh": self.mint("refresh")}).encode()
        assert self.server.post("/api/token/blacklist/", body)[0] == 200
        outsider = SyncDevice(self.server, self.player, self.head)
        outsider.connect(self.token)
        assert outsider.read()["content"]["code"] == "token_revoked"
        with pytest.raises(ConnectionClosed):
            outsider.read()
        outsider.drop()
        for device in self.devices:
            device.drop()
        self.version += 1
        _versions[self.player.id] = self.version
        self.token = self.mint()

    @invariant()
    def connected_devices_are_level_with_the_log(self) -> None:
        for device in self.devices:
            while device.socket is not None and device.cursor < self.head:
                device.read()
            assert device.cursor <= self.head

    def teardown(self) -> None:
        for which in range(len(self.devices)):
            self.resume(which)
        self.connected_devices_are_level_with_the_log()
        for device in self.devices:
            device.drop()
        rows = [row for row in self.server.store.log() if row.player_id == self.player.id]
        assert violations(rows, [device.record for device in self.devices]) == []


def test_whatever_two_devices_do_they_show_the_log(solo: Server) -> None:
    class Here(Conversation):
        server = solo
        players = itertools.cycle(solo.store.players)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=400 if IS_LONG else 25,
            stateful_step_count=50 if IS_LONG else 20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
