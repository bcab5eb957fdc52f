"""Sessions of a player: opened by the first frame, left and resumed by switching."""

from __future__ import annotations

import asyncio

import pytest
from django.db import IntegrityError

from privacy.models import AuditEvent
from therapy.messages import new_id, utc_now
from therapy.models import ProgressMarker, TherapeuticSession
from therapy.progress import Marker
from therapy.sessions import SessionIntegrationManager

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unthrottled")]


async def test_first_frame_opens_a_session(ana, connect):
    answer = await (await connect(ana)).ask("Hello there")
    session = await TherapeuticSession.objects.aget(player=ana)
    assert str(session.pk) == answer["session_id"]


async def test_connecting_alone_opens_none(ana, connect):
    await connect(ana)
    assert not await TherapeuticSession.objects.aexists()


async def test_session_goes_on_after_a_reconnect(ana, connect, another_process):
    first = await (await connect(ana)).ask("Hello there")
    another_process()
    assert (await (await connect(ana)).ask("Hello again"))["session_id"] == first["session_id"]


async def test_switching_is_acknowledged_with_the_context(ana, connect):
    device = await connect(ana)
    answer = await device.switch(character_id="mira", world_id="harbour")
    assert answer["role"] == "system"
    assert answer["metadata"]["context"] == {"character_id": "mira", "world_id": "harbour"}


async def test_switching_opens_another_session(ana, connect):
    device = await connect(ana)
    first = await device.ask("Hello there")
    switched = await device.switch(world_id="harbour")
    assert switched["session_id"] != first["session_id"]
    assert (await device.ask("Hello again"))["session_id"] == switched["session_id"]


async def test_switching_back_resumes_the_session(ana, connect):
    device = await connect(ana)
    first = await device.switch(character_id="mira", world_id="harbour")
    await device.switch(character_id="tom", world_id="harbour")
    again = await device.switch(character_id="mira", world_id="harbour")
    assert again["session_id"] == first["session_id"]
    assert await TherapeuticSession.objects.acount() == 2


async def test_switching_lasts(ana, connect, another_process):
    switched = await (await connect(ana)).switch(character_id="mira", world_id="harbour")
    another_process()
    answer = await (await connect(ana)).ask("Hello there")
    assert answer["session_id"] == switched["session_id"]


async def test_switch_may_name_only_one_of_both(ana, connect):
    device = await connect(ana)
    await device.switch(character_id="mira", world_id="harbour")
    answer = await device.switch(world_id="forest")
    assert answer["metadata"]["context"] == {"character_id": "mira", "world_id": "forest"}


async def test_switch_to_where_one_is_changes_nothing(ana, connect):
    device = await connect(ana)
    first = await device.switch(world_id="harbour")
    assert (await device.switch(world_id="harbour"))["session_id"] == first["session_id"]


async def test_metadata_of_a_message_switches_as_well(ana, connect):
    device = await connect(ana)
    switched = await device.switch(character_id="mira")
    answer = await device.ask("Hello there", metadata={"character_id": "tom"})
    assert answer["session_id"] != switched["session_id"]


async def test_message_may_name_a_session(ana, connect):
    device = await connect(ana)
    first = await device.switch(world_id="harbour")
    await device.switch(world_id="forest")
    assert (await device.ask("Hello there", session_id=first["session_id"]))["session_id"] == first[
        "session_id"
    ]


async def test_named_session_is_the_active_one_from_then_on(ana, connect):
    device = await connect(ana)
    first = await device.switch(world_id="harbour")
    await device.switch(world_id="forest")
    await device.ask("Hello there", session_id=first["session_id"])
    assert (await device.ask("And again"))["session_id"] == first["session_id"]


async def test_session_of_another_player_is_unknown(ana, cleo, connect):
    answer = await (await connect(ana)).ask("Hello there")
    outsider = await connect(cleo)
    await outsider.say("Let me in", session_id=answer["session_id"])
    refused = await outsider.error()
    assert (refused["code"], refused["field"]) == ("unknown_session", "session_id")


async def test_unknown_session_sounds_the_same_as_another_players(ana, cleo, connect):
    answer = await (await connect(ana)).ask("Hello there")
    outsider = await connect(cleo)
    told = []
    for session_id in (answer["session_id"], str(new_id())):
        await outsider.say("Let me in", session_id=session_id)
        told.append(await outsider.error())
    assert told[0] == told[1]


async def test_frame_for_another_players_session_stores_nothing(ana, cleo, connect):
    answer = await (await connect(ana)).ask("Hello there")
    outsider = await connect(cleo)
    await outsider.say("Let me in", session_id=answer["session_id"])
    await outsider.error()
    assert (await outsider.ask("Hello there"))["metadata"]["seq"] == 2


@pytest.mark.parametrize("session_id", ["nonsense", "' OR 1=1 --", "\0", "0" * 64])
async def test_garbage_session_is_unknown(ana, connect, session_id):
    device = await connect(ana)
    await device.say("Hello there", session_id=session_id)
    assert (await device.error())["code"] == "unknown_session"


async def test_sessions_remember_their_own_conversation(ana, connect):
    from chat.processing import processor

    device = await connect(ana)
    await device.ask("About the harbour", metadata={"world_id": "harbour"})
    await device.ask("About the forest", metadata={"world_id": "forest"})
    await device.switch(world_id="harbour")
    said = [line.text for line in processor().sessions.known(ana.pk).recent if line.speaker == "player"]
    assert said == ["About the harbour"]


async def test_danger_is_remembered_across_sessions(ana, connect):
    from chat.processing import processor

    device = await connect(ana)
    await device.ask("I want to kill myself tonight", metadata={"world_id": "harbour"})
    await device.switch(world_id="forest")
    state = processor().sessions.known(ana.pk)
    assert state.heard[-1].assessment.is_crisis
    assert state.episode is not None


# --- the manager -------------------------------------------------------------------------------------


async def test_closed_session_is_unknown_and_the_next_frame_opens_another(ana, ben, connect):
    from chat.processing import processor

    device = await connect(ana)
    session_id = (await device.ask("Hello there"))["session_id"]
    (session,) = [found async for found in TherapeuticSession.objects.all()]
    assert await processor().sessions.close(ana.pk, session.pk, by=ben)
    await device.say("Hello there", session_id=session_id)
    assert (await device.error())["code"] == "unknown_session"
    assert (await device.ask("Hello again"))["session_id"] != session_id


async def test_closing_leaves_an_audit_event_once(ana, ben, connect):
    await (await connect(ana)).ask("Hello there")
    session = await TherapeuticSession.objects.aget()
    manager = SessionIntegrationManager()
    assert [await manager.close(ana.pk, session.pk, by=ben) for _ in range(2)] == [True, False]
    event = await AuditEvent.objects.aget(action="close")
    assert (event.actor, event.player, event.object_id) == (str(ben.pk), str(ana.pk), str(session.pk))


async def test_another_players_session_can_not_be_closed(ana, ben, cleo, connect):
    await (await connect(ana)).ask("Hello there")
    session = await TherapeuticSession.objects.aget()
    assert not await SessionIntegrationManager().close(cleo.pk, session.pk, by=ben)


def a_marker(session_id, earned_by="portal:week-1") -> Marker:
    kind = ProgressMarker.Type.GOAL_ACHIEVED
    return Marker(new_id(), session_id, kind, "Walked every day", 0.8, utc_now(), earned_by)


async def test_portal_may_add_a_marker_on_record(ana, ben, connect):
    await (await connect(ana)).ask("Hello there")
    session = await TherapeuticSession.objects.aget()
    row = await SessionIntegrationManager().add_progress_marker(ana.pk, a_marker(session.pk), by=ben)
    stored = await ProgressMarker.objects.aget(player=ana)
    assert (stored.pk, stored.description) == (row.pk, "Walked every day")
    assert await AuditEvent.objects.filter(action="record", actor=str(ben.pk), object_id=row.pk).aexists()


async def test_same_deed_earns_no_second_marker_and_no_audit_event(ana, ben, connect):
    await (await connect(ana)).ask("Hello there")
    session = await TherapeuticSession.objects.aget()
    manager = SessionIntegrationManager()
    await manager.add_progress_marker(ana.pk, a_marker(session.pk), by=ben)
    with pytest.raises(IntegrityError):
        await manager.add_progress_marker(ana.pk, a_marker(session.pk), by=ben)
    assert await AuditEvent.objects.filter(action="record").acount() == 1


async def test_states_of_many_players_are_bounded(ana, cleo, monkeypatch):
    monkeypatch.setattr("therapy.sessions.STATES_MAX", 1)
    manager = SessionIntegrationManager()
    await manager.load(ana.pk)
    await manager.load(cleo.pk)
    assert manager.known(ana.pk) is None
    assert manager.known(cleo.pk) is not None


async def test_state_is_forgotten_when_the_log_has_grown_elsewhere(ana):
    manager = SessionIntegrationManager()
    await manager.load(ana.pk)
    manager.saw(ana.pk, 0)
    assert manager.known(ana.pk) is not None
    manager.saw(ana.pk, 3)
    assert manager.known(ana.pk) is None


async def test_unknown_player_has_no_state(transactional_db):
    with pytest.raises(LookupError):
        await SessionIntegrationManager().load(999)


async def test_turns_of_one_player_wait_for_each_other(ana):
    manager = SessionIntegrationManager()
    async with manager.turn(ana.pk):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(manager.turn(ana.pk).acquire(), 0.05)
