"""Canary words down every path, forced exceptions included: none comes out in a log line, on stderr or in a metric."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging

import pytest
from django.db import OperationalError
from django.test import AsyncClient
from prometheus_client import REGISTRY, generate_latest

from config.logs import LibraryFormatter
from tests.clients import Device
from tests.conftest import PASSWORD
from therapy.database import in_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unthrottled")]

CANARY = "zanzibarmarmalade"
DANGER = f"I want to kill myself tonight, {CANARY}"


@pytest.fixture
def output(capfd, monkeypatch):
    """All that came out so far, checked for the canary."""
    libraries = io.StringIO()
    (handler,) = [h for h in logging.getLogger().handlers if isinstance(h.formatter, LibraryFormatter)]
    monkeypatch.setattr(handler, "stream", libraries)  # it still holds the stderr of before the test

    def output() -> str:
        gc.collect()  # what asyncio says of tasks that failed unseen, it says then
        found = "".join([*capfd.readouterr(), libraries.getvalue()])
        assert CANARY not in found
        assert CANARY not in generate_latest(REGISTRY).decode()
        return found

    return output


def failing(*args, **kwargs):
    raise RuntimeError(f"can't handle {CANARY}")


async def failing_later(*args, **kwargs):
    raise RuntimeError(f"can't handle {CANARY}")


def database_failing(*args, **kwargs):
    raise OperationalError(f"INSERT ... '{CANARY}'")


FRAMES = {
    "message": {"type": "user_message", "content": {"text": f"I feel {CANARY}"}},
    "crisis": {"type": "user_message", "content": {"text": DANGER}},
    "client id": {"type": "user_message", "id": CANARY, "content": {"text": "hello"}},
    "session": {"type": "user_message", "session_id": CANARY, "content": {"text": "hello"}},
    "context": {"type": "switch_context", "content": {"character_id": CANARY, "world_id": CANARY}},
    "feedback": {"type": "feedback", "content": {"rating": 4, "text": CANARY}},
    "feedback about": {"type": "feedback", "content": {"rating": 4, "about": CANARY}},
    "element": {"type": "interaction", "content": {"id": CANARY}},
    "action": {"type": "interaction", "content": {"id": "ex_breathing", "action": CANARY}},
    "settings": {"type": "update_settings", "content": {"intensity": CANARY, "country": CANARY}},
    "type": {"type": CANARY},
    "token": {"type": "authenticate", "content": {"token": f"{CANARY}.{CANARY}.{CANARY}"}},
    "key": {"type": "ping", CANARY: CANARY},
    "too long": {"type": "user_message", "content": {"text": CANARY * 1000}},
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES.keys())
async def test_no_frame_leaks(ana, connect, output, frame):
    device = await connect(ana)
    await device.send("", raw=json.dumps(frame))
    await device.receive()
    await device.close()
    assert "message_out" in output()


@pytest.mark.parametrize("raw", [CANARY, f'{{"{CANARY}', f'["{CANARY}"]', f'"{CANARY}"', CANARY * 5000])
async def test_no_malformed_frame_leaks(ana, connect, output, raw):
    device = await connect(ana)
    await device.send("", raw=raw)
    assert CANARY not in str(await device.error())
    assert "message_out" in output()


async def test_no_second_frame_under_an_id_leaks(ana, connect, output):
    device = await connect(ana)
    for text in (CANARY, CANARY, f"another {CANARY}"):
        await device.say(text, id=CANARY)
    assert CANARY not in (await device.receive_until(event="error"))["content"]["text"]
    assert "message_in" in output()


async def test_no_binary_frame_leaks(ana, connect, output):
    device = await connect(ana)
    await device.communicator.send_to(bytes_data=CANARY.encode())
    await device.error()
    assert "message_out" in output()


async def test_no_option_header_or_path_leaks(ana, connect, output):
    await connect(ana, since=CANARY, typing=CANARY, character=CANARY)
    await Device.knock(token=CANARY)
    await Device.knock(authorization=f"Bearer {CANARY}")
    await Device.knock(path=f"/ws/{CANARY}")
    await Device.knock(origin=f"http://{CANARY}.example")
    assert "ws_connect" in output()


FAULTS = {
    "reading": ("chat.protocol.parse", failing, "frame_failed"),
    "deciding": ("therapy.processor.decide", failing, "turn_failed"),
    "loading": ("therapy.sessions.load_state", failing, "turn_failed"),
    "effect": ("therapy.sessions.OpenSession.apply", failing, "turn_failed"),
    "appending": ("therapy.journal.append_turns", failing, "turn_failed"),
    "settling": ("therapy.sessions.OpenSession.settle", failing, "turn_failed"),
    "sealing": ("therapy.journal.keyring", failing, "turn_failed"),
    "delivering": ("chat.delivery.Delivery.answer", failing_later, "turn_failed"),
    "telling others": ("chat.consumers.connections.broadcast_to_player", failing, "turn_failed"),
}


@pytest.mark.parametrize(("target", "fault", "event"), FAULTS.values(), ids=FAULTS.keys())
async def test_no_fault_in_a_turn_leaks(ana, connect, output, monkeypatch, target, fault, event):
    device = await connect(ana)
    monkeypatch.setattr(target, fault)
    await device.say(f"I feel {CANARY}", id=CANARY)
    problem = (await device.receive_until(event="error"))["content"]
    assert problem["code"] == "internal"
    assert CANARY not in problem["text"]
    said = output()
    assert event in said
    assert "RuntimeError" in said


@pytest.mark.parametrize("target", ["therapy.journal._append_together", "therapy.sessions.load_state"])
async def test_no_database_error_leaks(ana, connect, output, monkeypatch, target):
    device = await connect(ana)
    monkeypatch.setattr(target, database_failing)
    await device.say(f"I feel {CANARY}")
    assert CANARY not in str(await device.error())
    assert "message_out" in output()


@pytest.mark.parametrize("target", ["therapy.journal._append_together", "therapy.processor.decide"])
async def test_no_fault_in_a_crisis_leaks(ana, connect, output, monkeypatch, target):
    device = await connect(ana)
    monkeypatch.setattr(target, database_failing)
    assert (await device.ask(DANGER))["metadata"]["stored"] is False
    await asyncio.sleep(0.05)
    assert "crisis_not_stor" in output()


async def test_no_fault_of_an_engine_leaks(ana, connect, output, monkeypatch):
    from chat.processing import processor

    monkeypatch.setattr(type(processor().engine), "draft", failing_later)
    device = await connect(ana)
    await device.say(f"I feel {CANARY}")
    await device.receive()
    assert "message_out" in output()


async def test_no_fault_at_the_welcome_leaks(ana, output, token_of, monkeypatch):
    monkeypatch.setattr("chat.consumers.arrival", failing)
    device = await Device.connect(bearer=await in_database(token_of, ana))
    await device.close()
    assert "welcome_failed" in output()


async def test_no_fault_while_catching_up_leaks(ana, connect, output, monkeypatch):
    phone, laptop = await connect(ana), await connect(ana)
    monkeypatch.setattr("chat.delivery.read_after", failing_later)
    await phone.ask(f"I feel {CANARY}")
    await asyncio.sleep(0.05)
    await laptop.close()
    assert "message_out" in output()


async def test_no_fault_of_the_consumer_itself_leaks(ana, output, token_of, monkeypatch):
    monkeypatch.setattr("chat.consumers.Throttle", failing)
    token = await in_database(token_of, ana)
    with pytest.raises(RuntimeError):
        await Device.connect(bearer=token)
    output()


# --- HTTP --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/token/", {"username": CANARY, "password": CANARY}),
        ("/api/token/refresh/", {"refresh": f"{CANARY}.{CANARY}.{CANARY}"}),
        ("/api/token/blacklist/", {"refresh": CANARY}),
        ("/api/token/", CANARY),
    ],
)
async def test_no_request_leaks(transactional_db, async_client, output, path, body):
    await async_client.post(path, body, content_type="application/json")
    output()


@pytest.mark.parametrize("path", [f"/{CANARY}", f"/api/messages/?after={CANARY}", f"/?token={CANARY}"])
async def test_no_address_leaks(transactional_db, async_client, output, path):
    await async_client.get(path, headers={"Authorization": f"Bearer {CANARY}", "User-Agent": CANARY})
    output()


async def test_no_strange_host_leaks(transactional_db, async_client, output):
    await async_client.get("/healthz", headers={"Host": f"{CANARY}.example"})
    output()


async def test_no_fault_in_a_view_leaks(ana, token_of, output, monkeypatch):
    monkeypatch.setattr("chat.views.messages_after", failing)
    client = AsyncClient(raise_request_exception=False)
    token = await in_database(token_of, ana)
    answer = await client.get("/api/messages/", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, CANARY.encode() in answer.content) == (500, False)
    assert "RuntimeError" in output()


async def test_neither_name_nor_password_is_logged(ana, async_client, output, connect):
    body = {"username": "ana", "password": PASSWORD}
    pair = (await async_client.post("/api/token/", body, content_type="application/json")).json()
    await (await connect(bearer=pair["access"])).ask("Hello there")
    said = output()
    assert PASSWORD not in said
    assert pair["access"] not in said
    assert '"ana"' not in said


# --- what is logged ----------------------------------------------------------------------------------


def lines(said: str) -> list[dict]:
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


async def test_life_of_a_connection_is_logged_as_json(ana, connect, output):
    device = await connect(ana)
    await device.ask(DANGER)
    await device.close()
    logged = {line["event"]: line for line in lines(output())}
    assert {"ws_connect", "message_in", "message_out", "crisis_detected", "ws_disconnect"} <= logged.keys()
    assert logged["ws_disconnect"]["code"] == 1000
    assert logged["ws_disconnect"]["seconds"] >= 0
    assert logged["crisis_detected"]["crisis_types"]


async def test_lines_hold_only_keys_of_the_list(ana, connect, output):
    from config.logs import ALLOWED_KEYS

    device = await connect(ana)
    await device.ask(DANGER)
    await device.close()
    assert set().union(*lines(output())) <= ALLOWED_KEYS
