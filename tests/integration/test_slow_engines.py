"""Engines that take their time, fail, or stream: the message is safe first, and is answered exactly once."""

from __future__ import annotations

import asyncio

import pytest

from chat.processing import processor
from therapy.models import Message
from therapy.replies.base import Draft, EngineError

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unthrottled")]

TEXT = "That sounds like a long day. What would help you now?"


class Engine:
    """Answers when it is released; the tests hold its reins."""

    name = "test"
    is_released: asyncio.Event
    asked = 0
    error: Exception | None = None

    async def draft(self, request):
        type(self).asked += 1
        await self.is_released.wait()
        if self.error is not None:
            raise self.error
        return Draft(TEXT, self.name)


class StreamingEngine(Engine):
    async def stream(self, request):
        for sentence in ("That sounds like a long day. ", "What would help you now? "):
            yield sentence
        if self.error is not None:
            raise self.error


@pytest.fixture
def use(settings, monkeypatch):
    """Serve with an engine class; as slow as it is held, and never asked twice for want of patience."""
    monkeypatch.setattr("therapy.processor.STORE_FIRST_SECONDS", 0.02)
    monkeypatch.setattr("therapy.replies.relay.RETRY_AFTER_SECONDS", 0)

    def use(
        engine: type[Engine] = Engine, *, is_released: bool = False, error: Exception | None = None
    ) -> type[Engine]:
        settings.CHAT_REPLY_ENGINE = f"{__name__}.{engine.__name__}"
        processor.cache_clear()
        engine.is_released, engine.asked, engine.error = asyncio.Event(), 0, error
        if is_released:
            engine.is_released.set()
        return engine

    yield use
    processor.cache_clear()


async def test_answer_of_another_engine_says_who_answered(ana, connect, use):
    use(is_released=True)
    answer = await (await connect(ana)).ask("Hello there", id="m1")
    assert (answer["content"]["text"], answer["metadata"]["engine"]) == (TEXT, "test")
    assert answer["metadata"]["seq"] == 2


async def test_message_is_acknowledged_before_a_slow_answer(ana, connect, use):
    engine = use()
    device = await connect(ana)
    await device.say("Hello there", id="m1")
    assert (await device.receive())["content"]["event"] == "ack"
    assert (await Message.objects.aget()).is_awaiting_reply
    engine.is_released.set()
    answer = await device.receive()
    assert (answer["metadata"]["seq"], answer["metadata"]["in_reply_to"]) == (2, "m1")


async def test_other_device_sees_the_message_before_a_slow_answer(ana, connect, use):
    engine = use()
    phone, laptop = await connect(ana), await connect(ana)
    await phone.say("Hello there", id="m1")
    assert (await laptop.receive())["role"] == "user"
    engine.is_released.set()
    assert (await laptop.receive())["role"] == "assistant"


async def test_turns_behind_a_slow_answer_keep_their_order(ana, connect, use):
    engine = use()
    device = await connect(ana)
    await device.say("Hello there", id="m1")
    await device.press("ex_breathing", id="m2")
    await device.receive()
    engine.is_released.set()
    assert [frame["metadata"]["seq"] for frame in await device.frames(3)] == [2, 3, 4]


async def test_slow_answer_sent_for_again_is_the_same(ana, connect, use):
    engine = use()
    device = await connect(ana)
    for _ in range(2):
        await device.say("Hello there", id="m1")
    await device.receive()
    engine.is_released.set()
    first, ack, again = await device.frames(3)
    assert ack["content"]["duplicate"] is True
    assert again["id"] == first["id"]


async def test_replay_of_a_slow_turn_is_what_was_seen_live(ana, connect, use):
    engine = use()
    phone, laptop = await connect(ana), await connect(ana)
    await phone.say("Hello there", id="m1")
    await phone.receive()
    engine.is_released.set()
    live = await laptop.frames(2)
    assert await (await connect(ana, since=0)).frames(2) == live


async def test_message_without_an_answer_is_finished_when_its_player_returns(
    ana, connect, use, another_process
):
    """A process that ended after storing it; should it wake again, nothing is answered twice."""
    engine = use()
    device = await connect(ana)
    await device.say("Hello there", id="m1")
    await device.receive()
    another_process()
    returned = await connect(ana, since=0)
    assert (await returned.receive())["role"] == "user"
    engine.is_released.set()
    assert (await returned.receive())["role"] == "assistant"
    await asyncio.sleep(0.1)
    assert await Message.objects.filter(role="assistant").acount() == 1
    assert not await Message.objects.filter(is_awaiting_reply=True).aexists()


@pytest.mark.parametrize(
    "error", [EngineError("down"), EngineError("gone", permanent=True), RuntimeError("x")]
)
async def test_engine_that_fails_is_stood_in_for_within_the_turn(ana, connect, use, error):
    use(is_released=True, error=error)
    answer = await (await connect(ana)).ask("I feel lonely")
    assert answer["metadata"]["engine"] == "embedded"
    assert answer["content"]["text"]


async def test_crisis_waits_for_no_engine(ana, connect, use):
    engine = use()
    answer = await (await connect(ana)).ask("I want to kill myself tonight")
    assert answer["metadata"]["safety"]["crisis"] is True
    assert engine.asked == 0


async def test_stream_comes_in_pieces_and_then_whole(ana, connect, use):
    use(StreamingEngine, is_released=True)
    device = await connect(ana, stream=1)
    await device.say("Hello there", id="m1")
    frames = await device.frames(4)
    pieces = [f["content"]["text"] for f in frames if f["content"].get("event") == "reply_delta"]
    assert "".join(pieces).split() == TEXT.split()
    assert (frames[-1]["role"], frames[-1]["content"]["text"]) == ("assistant", TEXT)


async def test_nobody_is_streamed_to_who_has_not_asked(ana, connect, use):
    use(StreamingEngine, is_released=True)
    device = await connect(ana)
    await device.say("Hello there")
    assert (await device.receive())["role"] == "assistant"


async def test_stream_that_does_not_stand_is_called_back(ana, connect, use):
    use(StreamingEngine, is_released=True, error=EngineError("cut off"))
    device = await connect(ana, stream=1)
    await device.say("Hello there")
    await device.receive_until(event="reply_void")
    assert (await device.receive_until(role="assistant"))["metadata"]["engine"] == "embedded"
