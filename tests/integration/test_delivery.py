"""The log and the sockets: acks, duplicates, other devices, replay."""

from __future__ import annotations

from typing import Any

import pytest

from chat import delivery
from chat.connections import connections
from chat.consumers import ChatConsumer
from chat.delivery import Delivery
from therapy.messages import TEXT_MAX
from therapy.models import Message

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unthrottled")]

EXERCISE = ("ex_breathing", "ex_breathing_complete")


def seqs(frames) -> list[int]:
    return [frame["metadata"]["seq"] for frame in frames]


async def a_day(device) -> list[dict]:
    """One of everything; the durable frames that another device of the player sees of it."""
    await device.ask("I'm anxious about tomorrow", id="m1", metadata={"character_id": "mira"})
    await device.do("breathing")
    await device.rate(5, text="It helped.", id="m4")
    await device.receive_until(role="system", event=None)
    await device.set(intensity="low", country="DE")
    await device.switch(world_id="harbour")
    return await device.ask("I want to kill myself tonight")


# --- acknowledging -----------------------------------------------------------------------------------


async def test_frame_with_an_id_is_acknowledged_before_its_answer(ana, connect):
    device = await connect(ana)
    await device.say("Hello there", id="m1")
    ack, answer = await device.frames(2)
    assert (ack["content"]["event"], ack["content"]["seq"], ack["content"]["duplicate"]) == ("ack", 1, False)
    assert ack["metadata"]["in_reply_to"] == "m1"
    assert (answer["metadata"]["seq"], answer["metadata"]["in_reply_to"]) == (2, "m1")


async def test_frame_without_an_id_gets_only_its_answer(ana, connect):
    device = await connect(ana)
    await device.say("Hello there")
    assert (await device.receive())["role"] == "assistant"
    assert await device.is_silent()


async def test_what_was_acknowledged_is_committed(ana, connect):
    device = await connect(ana)
    await device.say("Hello there", id="m1")
    await device.receive_until(event="ack")
    assert await Message.objects.filter(player=ana, client_id="m1").aexists()


async def test_nothing_is_acknowledged_before_the_commit(ana, connect, monkeypatch):
    async def fail(*args):
        raise OSError

    monkeypatch.setattr("therapy.journal.Journal.append", fail)
    device = await connect(ana)
    await device.say("Hello there", id="m1")
    assert (await device.receive())["content"]["event"] == "error"
    assert await device.is_silent()


async def test_sequence_numbers_have_no_gap(ana, connect):
    device = await connect(ana)
    await a_day(device)
    stored = [
        seq async for seq in Message.objects.filter(player=ana).order_by("seq").values_list("seq", flat=True)
    ]
    assert stored == list(range(1, len(stored) + 1))


async def test_refused_frames_leave_no_gap(ana, connect):
    device = await connect(ana)
    await device.ask("Hello there")
    await device.press("ex_breathing_complete", id="m1")
    await device.error()
    assert (await device.ask("And again"))["metadata"]["seq"] == 4


async def test_every_player_has_numbers_of_their_own(ana, cleo, connect):
    one, other = await connect(ana), await connect(cleo)
    assert (await one.ask("Hello there"))["metadata"]["seq"] == 2
    assert (await other.ask("Hello there"))["metadata"]["seq"] == 2


# --- the same id again -------------------------------------------------------------------------------


async def test_same_id_again_gets_the_same_answer_and_says_so(ana, connect):
    device = await connect(ana)
    first = await device.ask("Hello there", id="m1")
    await device.say("Hello there", id="m1")
    ack, again = await device.frames(2)
    assert (ack["content"]["duplicate"], ack["content"]["seq"]) == (True, 1)
    assert again["metadata"].pop("duplicate") is True
    assert again == first


async def test_same_id_again_after_a_reconnect_gets_the_same_answer(ana, connect):
    first = await (await connect(ana)).ask("Hello there", id="m1")
    device = await connect(ana)
    await device.say("Hello there", id="m1")
    ack, again = await device.frames(2)
    assert ack["content"]["duplicate"] is True
    assert (again["id"], again["content"]) == (first["id"], first["content"])


async def test_same_id_again_in_another_process_gets_the_same_answer(ana, connect, another_process):
    first = await (await connect(ana)).ask("Hello there", id="m1")
    another_process()
    again = await (await connect(ana)).ask("Hello there", id="m1")
    assert (again["id"], again["content"]) == (first["id"], first["content"])


async def test_same_id_again_is_stored_once(ana, connect):
    device = await connect(ana)
    for _ in range(3):
        await device.ask("Hello there", id="m1")
    assert await Message.objects.filter(player=ana).acount() == 2


async def test_same_id_again_is_not_told_to_other_devices(ana, connect):
    phone, laptop = await connect(ana), await connect(ana)
    await phone.ask("Hello there", id="m1")
    await laptop.frames(2)
    await phone.ask("Hello there", id="m1")
    assert await laptop.is_silent()


async def test_completion_sent_again_gets_its_progress_again(ana, connect):
    device = await connect(ana)
    for n, element in enumerate(EXERCISE):
        await device.press(element, id=f"m{n}")
        first = await device.receive_until(role="interactive")
    await device.press(EXERCISE[1], id="m1")
    again = await device.receive_until(role="interactive")
    assert again["content"] == first["content"]
    assert again["metadata"]["duplicate"] is True


async def test_every_kind_of_frame_may_be_sent_again(ana, connect):
    device = await connect(ana)
    kinds = {
        "interaction": {"id": "ex_breathing"},
        "feedback": {"rating": 4},
        "switch_context": {"world_id": "harbour"},
        "update_settings": {"intensity": "low"},
    }
    for kind, content in kinds.items():
        for is_again in (False, True):
            await device.send(kind, id=kind, content=content)
            ack, answer = await device.frames(2)
            assert (ack["content"]["duplicate"], "duplicate" in answer["metadata"]) == (is_again, is_again)


async def test_same_id_with_another_text_is_an_error(ana, connect):
    device = await connect(ana)
    await device.ask("Hello there", id="m1")
    await device.say("Something else", id="m1")
    problem = await device.error()
    assert (problem["code"], problem["field"]) == ("id_reused", "id")


async def test_same_id_with_another_type_is_an_error(ana, connect):
    device = await connect(ana)
    await device.ask("Hello there", id="m1")
    await device.press("ex_breathing", id="m1")
    assert (await device.error())["code"] == "id_reused"


async def test_same_id_with_a_refused_frame_is_an_error(ana, connect):
    device = await connect(ana)
    await device.ask("Hello there", id="m1")
    await device.press("ex_juggling", id="m1")
    assert (await device.error())["code"] == "id_reused"


async def test_reused_id_stores_nothing(ana, connect):
    device = await connect(ana)
    await device.ask("Hello there", id="m1")
    await device.say("Something else", id="m1")
    await device.error()
    assert await Message.objects.filter(player=ana).acount() == 2


async def test_refused_frame_may_be_sent_again_when_it_can_be_done(ana, connect):
    device = await connect(ana)
    await device.press("ex_breathing_complete", id="m1")
    await device.error()
    await device.press("ex_breathing")
    await device.receive_until(role="interactive")
    await device.press("ex_breathing_complete", id="m1")
    assert (await device.receive_until(event="ack"))["content"]["duplicate"] is False


async def test_two_players_may_use_the_same_id(ana, cleo, connect):
    one, other = await connect(ana), await connect(cleo)
    await one.ask("Hello there", id="m1")
    await other.say("Something else", id="m1")
    assert (await other.receive_until(event="ack"))["content"]["duplicate"] is False


# --- other devices -----------------------------------------------------------------------------------


async def test_other_device_sees_what_was_said_and_answered(ana, connect):
    phone, laptop = await connect(ana), await connect(ana)
    answer = await phone.ask("Hello there", id="m1")
    said, seen = await laptop.frames(2)
    assert (said["role"], said["content"]["text"], said["metadata"]["client_id"]) == (
        "user",
        "Hello there",
        "m1",
    )
    assert (said["metadata"]["seq"], seen) == (1, answer)


async def test_sender_does_not_see_its_own_words_again(ana, connect):
    phone = await connect(ana)
    await phone.say("Hello there", id="m1")
    assert [frame["role"] for frame in await phone.frames(2)] == ["system", "assistant"]
    assert await phone.is_silent()


async def test_all_devices_see_the_same_in_the_same_order(ana, connect):
    phone, laptop, tablet = [await connect(ana) for _ in range(3)]
    await a_day(phone)
    seen = await laptop.frames(14)
    assert seqs(seen) == list(range(1, 15))
    assert await tablet.frames(14) == seen


async def test_devices_that_speak_at_once_see_one_order(ana, connect):
    phone, laptop = await connect(ana), await connect(ana)
    for n in range(5):
        await phone.say(f"From the phone, {n}")
        await laptop.say(f"From the laptop, {n}")
    seen = [await device.frames(15) for device in (phone, laptop)]
    for frames in seen:
        assert seqs(frames) == sorted(seqs(frames))
    both = [{frame["metadata"]["seq"]: frame for frame in frames} for frames in seen]
    shared = both[0].keys() & both[1].keys()
    assert len(shared) == 10
    assert all(both[0][seq] == both[1][seq] for seq in shared)


async def test_nobody_else_sees_any(ana, cleo, connect):
    device, outsider = await connect(ana), await connect(cleo, since=0)
    await a_day(device)
    assert (await outsider.ask("Is anybody here?"))["metadata"]["seq"] == 2
    assert await outsider.is_silent()


async def test_other_device_sees_which_button_was_pressed(ana, connect):
    phone, laptop = await connect(ana), await connect(ana)
    await phone.press("ex_breathing", id="m1")
    said = await laptop.receive()
    assert (said["role"], said["content"]["event"], said["content"]["id"]) == (
        "user",
        "interaction",
        "ex_breathing",
    )


async def test_device_that_has_gone_stops_nothing(ana, connect):
    phone, laptop = await connect(ana), await connect(ana)
    await laptop.close()
    assert await phone.ask("Hello there")


async def test_turn_goes_on_when_its_socket_has_gone(ana, connect):
    phone, laptop = await connect(ana), await connect(ana)
    await phone.say("Hello there", id="m1")
    await phone.close()
    assert [frame["role"] for frame in await laptop.frames(2)] == ["user", "assistant"]


# --- replay ------------------------------------------------------------------------------------------


async def test_replay_is_what_was_seen_live(ana, connect):
    phone, laptop = await connect(ana), await connect(ana)
    await a_day(phone)
    live = await laptop.frames(14)
    replayed = await (await connect(ana, since=0)).frames(14)
    assert replayed == live


async def test_replay_after_another_process_took_over_is_the_same(ana, connect, another_process):
    phone, laptop = await connect(ana), await connect(ana)
    await a_day(phone)
    live = await laptop.frames(14)
    another_process()
    assert await (await connect(ana, since=0)).frames(14) == live


async def test_replay_starts_after_since(ana, connect):
    device = await connect(ana)
    for n in range(3):
        await device.ask(f"Hello number {n}")
    late = await connect(ana, since=3)
    assert late.welcome["metadata"]["resumed"] is True
    assert seqs(await late.frames(3)) == [4, 5, 6]


async def test_replay_comes_once(ana, connect):
    device = await connect(ana)
    await device.ask("Hello there")
    late = await connect(ana, since=0)
    await late.frames(2)
    assert await late.is_silent()


async def test_replay_holds_the_players_own_words(ana, connect):
    await (await connect(ana)).ask("Hello there", id="m1")
    said = await (await connect(ana, since=0)).receive()
    assert (said["role"], said["content"]["text"], said["metadata"]["client_id"]) == (
        "user",
        "Hello there",
        "m1",
    )


async def test_live_goes_on_after_a_replay(ana, connect):
    await (await connect(ana)).ask("Hello there")
    late = await connect(ana, since=0)
    await late.frames(2)
    assert (await late.ask("And again"))["metadata"]["seq"] == 4


async def test_nothing_to_replay_is_resumed_all_the_same(ana, connect):
    await (await connect(ana)).ask("Hello there")
    late = await connect(ana, since=2)
    assert late.welcome["metadata"]["resumed"] is True
    assert await late.is_silent()


async def test_no_since_replays_nothing(ana, connect):
    await (await connect(ana)).ask("Hello there")
    late = await connect(ana)
    assert "resumed" not in late.welcome["metadata"]
    assert await late.is_silent()


@pytest.fixture
def short_replay(monkeypatch):
    monkeypatch.setattr("chat.consumers.REPLAY_MAX", 3)


@pytest.mark.usefixtures("short_replay")
async def test_since_too_far_back_says_so_and_names_the_history(ana, connect):
    device = await connect(ana)
    for _ in range(2):
        await device.ask("Hello there")
    late = await connect(ana, since=0)
    assert late.welcome["metadata"]["resumed"] is False
    assert late.welcome["metadata"]["history_path"] == "/api/messages/"
    assert await late.is_silent()


@pytest.mark.usefixtures("short_replay")
async def test_since_just_not_too_far_back_is_replayed(ana, connect):
    device = await connect(ana)
    for _ in range(2):
        await device.ask("Hello there")
    assert seqs(await (await connect(ana, since=1)).frames(3)) == [2, 3, 4]


def test_thousand_frames_are_replayed():
    from chat.delivery import REPLAY_MAX

    assert REPLAY_MAX == 1000


async def test_since_from_the_future_says_so(ana, connect):
    late = await connect(ana, since=99)
    assert late.welcome["metadata"]["resumed"] is False
    assert (await late.ask("Hello there"))["metadata"]["seq"] == 2


@pytest.mark.parametrize("since", ["-1", "1.5", "soon", "1e3", "٣", "9" * 19, " 1", "0x1"])
async def test_garbage_since_is_an_error_and_the_socket_lives_on(ana, connect, since):
    device = await connect(ana, since=since)
    problem = await device.error()
    assert (problem["code"], problem["field"]) == ("invalid_option", "since")
    assert "resumed" not in device.welcome["metadata"]
    assert await device.ask("Are you still there?")


async def test_long_replay_comes_in_order_over_many_pages(ana, connect, monkeypatch):
    monkeypatch.setattr("chat.delivery._PAGE", 3)
    device = await connect(ana)
    for n in range(5):
        await device.ask(f"Hello number {n}")
    assert seqs(await (await connect(ana, since=0)).frames(10)) == list(range(1, 11))


@pytest.mark.parametrize("heard", ["nothing", "woken", "nudged"])
async def test_what_is_appended_while_a_socket_is_welcomed_is_not_missed(ana, connect, monkeypatch, heard):
    device = await connect(ana)
    await device.ask("Hello there")
    (others,) = [socket.delivery for socket in connections]
    read: list[int | None] = []
    catch_up, since = Delivery.catch_up, ChatConsumer._since

    async def noted(delivery: Delivery) -> None:
        if delivery is not others:
            read.append(delivery.cursor)
        await catch_up(delivery)

    def meanwhile(consumer: ChatConsumer) -> Any:
        """After the head was read, and before the cursor is set."""
        if heard == "woken":
            consumer.delivery.wake()
        elif heard == "nudged":
            consumer.heard_of_head(3)
        return since(consumer)

    monkeypatch.setattr(Delivery, "catch_up", noted)
    monkeypatch.setattr(ChatConsumer, "_since", meanwhile)
    late = await connect(ana, since=2)
    assert (await late.ask("And again"))["metadata"]["seq"] == 4
    assert read == ([] if heard == "nothing" else [2])


def test_page_of_the_longest_messages_is_what_may_wait_for_a_slow_reader():
    longest = len("\N{SMILING FACE WITH SMILING EYES}".encode()) * TEXT_MAX
    assert delivery._PAGE * longest <= 1_000_000
