"""What a turn answers and changes, as a player sees it."""

from __future__ import annotations

import pytest

from therapy.models import CrisisEvent, ExerciseRun, Feedback, Message, ProgressMarker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unthrottled")]


def element_ids(frame, kind: str) -> list[str]:
    return [element["id"] for element in frame["content"]["elements"] if element["type"] == kind]


# --- messages ----------------------------------------------------------------------------------------


async def test_answer_carries_safety_recommendations_and_engine(ana, connect):
    answer = await (await connect(ana)).ask("I went for a walk today")
    assert answer["role"] == "assistant"
    assert answer["metadata"]["safety"] == {"crisis": False, "types": [], "level": "none"}
    assert answer["metadata"]["engine"] == "embedded"
    assert answer["content"]["text"]


@pytest.mark.parametrize(
    "text",
    [
        "I'm anxious about tomorrow",
        "I feel so stressed",
        "I'm overwhelmed by work",
        "I feel panicky before the exam",
    ],
)
async def test_anxious_words_get_both_exercise_buttons(ana, connect, text):
    buttons = element_ids(await (await connect(ana)).ask(text), "button")
    assert {"ex_breathing", "ex_grounding"} <= set(buttons)


async def test_answer_does_not_repeat_the_message(ana, connect):
    text = "My sister moved to another town in spring"
    assert text not in (await (await connect(ana)).ask(text))["content"]["text"]


async def test_same_words_again_are_answered_in_other_words(ana, connect):
    device = await connect(ana)
    answers = [(await device.ask("I feel lonely"))["content"]["text"] for _ in range(4)]
    assert len(set(answers)) == 4


async def test_words_are_different_also_after_a_reconnect(ana, connect, another_process):
    first = await (await connect(ana)).ask("I feel lonely")
    another_process()
    assert (await (await connect(ana)).ask("I feel lonely"))["content"]["text"] != first["content"]["text"]


async def test_engine_is_told_character_world_and_recent_lines(ana, connect, monkeypatch):
    from chat.processing import processor

    asked = []

    async def answer(request):
        asked.append(request)
        return await processor().engine.draft(request)

    monkeypatch.setattr(processor().answerer, "answer", answer)
    device = await connect(ana)
    await device.ask("Hello there", metadata={"character_id": "mira", "world_id": "harbour"})
    await device.ask("And again")
    assert (asked[1].character_id, asked[1].world_id) == ("mira", "harbour")
    assert [line.speaker for line in asked[1].recent] == ["player", "companion"]


async def test_crisis_never_reaches_an_engine(ana, connect, monkeypatch):
    from chat.processing import processor

    async def answer(request):
        raise AssertionError("asked an engine")

    monkeypatch.setattr(processor().answerer, "answer", answer)
    reply = await (await connect(ana)).ask("I want to kill myself tonight")
    assert reply["metadata"]["engine"] == "crisis"


async def test_crisis_gets_resources_with_short_exercises_below(ana, connect):
    reply = await (await connect(ana)).ask("I want to kill myself tonight")
    assert reply["metadata"]["safety"]["crisis"] is True
    assert "suicidal_ideation" in reply["metadata"]["safety"]["types"]
    kinds = [element["type"] for element in reply["content"]["elements"]]
    assert kinds == sorted(kinds, key=["resource", "button"].index)
    assert {"resource", "button"} <= set(kinds)


async def test_crisis_resources_are_of_the_us_where_the_country_is_unknown(ana, connect):
    reply = await (await connect(ana)).ask("I want to kill myself tonight")
    infos = [element.get("info") for element in reply["content"]["elements"]]
    assert "988" in infos


async def test_crisis_resources_follow_the_players_country(ana, connect):
    device = await connect(ana)
    await device.set(country="GB")
    reply = await device.ask("I want to kill myself tonight")
    infos = [element.get("info") for element in reply["content"]["elements"]]
    assert "116 123" in infos
    assert "988" not in infos


async def test_crisis_is_recorded_for_the_clinic(ana, connect):
    device = await connect(ana)
    reply = await device.ask("I want to kill myself tonight")
    event = await CrisisEvent.objects.aget(player=ana)
    assert (event.status, event.level) == ("open", reply["metadata"]["safety"]["level"])
    assert event.evidence[0]["resources"] == element_ids(reply, "resource")


async def test_crisis_record_holds_no_words_of_the_player(ana, connect):
    await (await connect(ana)).ask("I want to kill myself tonight, zanzibar")
    event = await CrisisEvent.objects.aget(player=ana)
    assert "zanzibar" not in str(event.evidence)


async def test_second_crisis_turn_adds_to_the_open_record(ana, connect):
    device = await connect(ana)
    first = await device.ask("I want to kill myself tonight")
    second = await device.ask("I have the pills here and I will take them all")
    event = await CrisisEvent.objects.aget(player=ana)
    assert len(event.evidence) == 2
    assert first["content"]["text"] != second["content"]["text"]


async def test_conversation_about_danger_goes_on_after_a_reconnect(ana, connect, another_process):
    await (await connect(ana)).ask("I want to kill myself tonight")
    another_process()
    reply = await (await connect(ana)).ask("I don't know")
    assert reply["metadata"]["engine"] == "crisis"


# --- exercises ---------------------------------------------------------------------------------------


async def test_start_is_answered_with_all_steps_and_one_button(ana, connect):
    device = await connect(ana)
    await device.press("ex_breathing")
    answer = await device.receive()
    instruction, button = answer["content"]["elements"]
    assert answer["role"] == "interactive"
    assert (instruction["type"], button["id"]) == ("instruction", "ex_breathing_complete")
    assert [step["seconds"] for step in instruction["steps"]] == [4, 7, 8]


async def test_completion_is_answered_with_one_progress_element(ana, connect):
    answer = await (await connect(ana)).do("breathing")
    (progress,) = answer["content"]["elements"]
    assert (progress["type"], progress["marker_type"]) == ("progress", "SKILL_ACQUIRED")


async def test_completion_records_the_marker_that_is_shown(ana, connect):
    (progress,) = (await (await connect(ana)).do("breathing"))["content"]["elements"]
    marker = await ProgressMarker.objects.select_related("run").aget(player=ana)
    assert (str(marker.marker_id), marker.therapeutic_value) == (
        progress["id"],
        progress["therapeutic_value"],
    )
    assert (marker.run.exercise, marker.run.outcome) == ("breathing", "completed")
    assert 0 <= marker.therapeutic_value <= 1


async def test_start_is_a_row_that_is_still_open(ana, connect):
    device = await connect(ana)
    await device.press("ex_breathing")
    await device.receive()
    run = await ExerciseRun.objects.aget(player=ana)
    assert (run.exercise, run.outcome, run.ended_at) == ("breathing", "", None)


async def test_completion_without_a_start_records_nothing_and_says_so(ana, connect):
    device = await connect(ana)
    await device.press("ex_breathing_complete")
    assert "nothing was recorded" in (await device.error())["text"]
    assert not await ProgressMarker.objects.aexists()


async def test_second_completion_records_nothing_and_says_so(ana, connect):
    device = await connect(ana)
    await device.do("breathing")
    await device.press("ex_breathing_complete")
    assert (await device.error())["code"] == "exercise_not_started"
    assert await ProgressMarker.objects.acount() == 1


async def test_completion_of_another_exercise_records_nothing(ana, connect):
    device = await connect(ana)
    await device.press("ex_breathing")
    await device.press("ex_grounding_complete")
    assert (await device.error())["code"] == "exercise_not_started"
    assert not await ProgressMarker.objects.aexists()


async def test_invented_id_records_nothing_and_says_so(ana, connect):
    device = await connect(ana)
    await device.press("ex_enlightenment_complete")
    assert (await device.error())["code"] == "unknown_element"
    assert not await ExerciseRun.objects.aexists()


async def test_start_of_another_player_is_nobody_elses(ana, cleo, connect):
    device, outsider = await connect(ana), await connect(cleo)
    await device.press("ex_breathing")
    await device.receive()
    await outsider.press("ex_breathing_complete")
    assert (await outsider.error())["code"] == "exercise_not_started"


async def test_exercise_can_be_completed_after_a_reconnect(ana, connect, another_process):
    device = await connect(ana)
    await device.press("ex_breathing")
    await device.receive()
    another_process()
    later = await connect(ana)
    await later.press("ex_breathing_complete")
    assert (await later.receive())["content"]["elements"][0]["type"] == "progress"


async def test_completion_can_not_be_repeated_in_another_process(ana, connect, another_process):
    await (await connect(ana)).do("breathing")
    another_process()
    device = await connect(ana)
    await device.press("ex_breathing_complete")
    assert (await device.error())["code"] == "exercise_not_started"


async def test_completion_that_another_process_has_recorded_is_refused(ana, connect):
    """This process still believes that the exercise is under way."""
    device = await connect(ana)
    await device.press("ex_breathing")
    await device.receive()
    await ExerciseRun.objects.aupdate(ended_at="2026-11-22T00:00:00Z", outcome="completed")
    await device.press("ex_breathing_complete")
    assert (await device.error())["code"] == "exercise_not_started"
    assert not await ProgressMarker.objects.aexists()


async def test_new_start_ends_the_older_one_as_restarted(ana, connect):
    device = await connect(ana)
    await device.press("ex_breathing")
    await device.press("ex_breathing")
    await device.frames(2)
    outcomes = ExerciseRun.objects.order_by("started_at").values_list("outcome", flat=True)
    assert [outcome async for outcome in outcomes] == ["restarted", ""]


async def test_restarted_exercise_earns_one_marker(ana, connect):
    device = await connect(ana)
    await device.press("ex_breathing")
    await device.receive()
    await device.do("breathing")
    assert await ProgressMarker.objects.acount() == 1


async def test_two_exercises_can_be_under_way(ana, connect):
    device = await connect(ana)
    for element in ("ex_breathing", "ex_grounding", "ex_breathing_complete", "ex_grounding_complete"):
        await device.press(element)
    assert [frame["role"] for frame in await device.frames(4)] == ["interactive"] * 4
    assert await ProgressMarker.objects.acount() == 2


async def test_same_exercise_done_twice_earns_two_markers(ana, connect):
    device = await connect(ana)
    await device.do("breathing")
    await device.do("breathing")
    assert await ProgressMarker.objects.acount() == 2


async def test_stopping_ends_the_run_and_earns_nothing(ana, connect):
    device = await connect(ana)
    await device.press("ex_breathing")
    await device.press("ex_breathing_stop")
    assert (await device.frames(2))[1]["role"] == "interactive"
    assert (await ExerciseRun.objects.aget()).outcome == "stopped"
    assert not await ProgressMarker.objects.aexists()


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "progress", "content": {"marker_type": "MILESTONE"}},
        {"type": "interaction", "content": {"id": "ex_breathing_complete", "therapeutic_value": 1}},
        {"type": "interaction", "content": {"id": "progress", "action": "complete_exercise"}},
        {"type": "user_message", "content": {"text": "x", "elements": [{"type": "progress", "id": "p"}]}},
        {"type": "user_message", "role": "system", "content": {"text": "x"}, "metadata": {"marker": {}}},
    ],
)
async def test_no_client_can_mint_a_marker(ana, connect, frame):
    device = await connect(ana)
    await device.send(frame.pop("type"), **frame)
    await device.receive()
    assert not await ProgressMarker.objects.aexists()


async def test_client_can_not_raise_the_value_of_its_marker(ana, connect):
    device = await connect(ana)
    await device.press("ex_breathing")
    content = {"id": "ex_breathing_complete", "therapeutic_value": 1, "seconds": 9999}
    await device.send("interaction", content=content)
    await device.frames(2)
    assert (await ProgressMarker.objects.aget()).therapeutic_value < 0.5


# --- feedback ----------------------------------------------------------------------------------------


async def test_feedback_is_answered_with_updated_recommendations(ana, connect):
    device = await connect(ana)
    await device.do("breathing")
    await device.rate(5, text="It helped.")
    answer = await device.receive()
    assert (answer["role"], answer["content"]["text"][:18]) == ("system", "Feedback processed")
    assert element_ids(answer, "recommendation") == [r["id"] for r in answer["metadata"]["recommendations"]]
    assert len(element_ids(answer, "recommendation")) == 3


async def test_feedback_is_stored_encrypted(ana, connect):
    from django.db import connection

    device = await connect(ana)
    await device.do("breathing")
    await device.rate(4, text="zanzibar")
    await device.receive()
    stored = await Feedback.objects.aget(player=ana)
    assert (stored.exercise, stored.rating, stored.text) == ("breathing", 4, "zanzibar")

    def raw() -> bytes:
        with connection.cursor() as cursor:
            cursor.execute("SELECT text FROM therapy_feedback")
            return bytes(cursor.fetchone()[0])

    from asgiref.sync import sync_to_async

    assert b"zanzibar" not in await sync_to_async(raw)()


async def test_text_alone_is_feedback(ana, connect):
    device = await connect(ana)
    await device.send("feedback", content={"text": "The words were kind."})
    assert (await device.receive())["content"]["text"].startswith("Feedback processed")
    assert (await Feedback.objects.aget()).rating is None


async def test_rating_without_any_exercise_is_of_the_conversation(ana, connect):
    device = await connect(ana)
    await device.rate(3)
    await device.receive()
    assert (await Feedback.objects.aget()).exercise == ""


async def test_feedback_may_name_its_exercise(ana, connect):
    device = await connect(ana)
    await device.do("breathing")
    await device.rate(5, about="ex_grounding")
    await device.receive()
    assert (await Feedback.objects.aget()).exercise == "grounding"


@pytest.mark.parametrize("is_another_process", [False, True])
async def test_feedback_is_about_what_was_done_last(ana, connect, another_process, is_another_process):
    device = await connect(ana)
    for exercise in ("breathing", "grounding", "breathing"):
        await device.do(exercise)
    if is_another_process:
        another_process()
    await device.rate(5)
    await device.receive()
    assert (await Feedback.objects.aget()).exercise == "breathing"


@pytest.mark.parametrize("is_another_process", [False, True])
async def test_feedback_is_not_about_an_exercise_left_open_before(
    ana, connect, another_process, is_another_process
):
    device = await connect(ana)
    await device.press("ex_grounding")
    await device.receive()
    await device.do("breathing")
    if is_another_process:
        another_process()
    await device.rate(5)
    await device.receive()
    assert (await Feedback.objects.aget()).exercise == "breathing"


async def recommended(device) -> list[str]:
    answer = await device.ask("I went for a walk today")
    return [found["id"] for found in answer["metadata"]["recommendations"]]


async def rate_often(device, exercise: str, rating: int, times: int = 20) -> None:
    for _ in range(times):
        await device.rate(rating, about=f"ex_{exercise}")
        await device.receive()


@pytest.mark.parametrize("is_another_process", [False, True])
async def test_what_helped_is_recommended_next(ana, connect, another_process, is_another_process):
    device = await connect(ana)
    await rate_often(device, "self_compassion_break", 5)
    if is_another_process:
        another_process()
    assert all([("ex_self_compassion_break" in await recommended(device)) for _ in range(3)])


@pytest.mark.parametrize("is_another_process", [False, True])
async def test_what_did_not_help_is_not_recommended_next(ana, connect, another_process, is_another_process):
    device = await connect(ana)
    for exercise in ("grounding", "breathing"):
        await rate_often(device, exercise, 1)
    if is_another_process:
        another_process()
    assert not {"ex_grounding", "ex_breathing"} & set(await recommended(device))


async def test_answer_to_feedback_rests_on_it_already(ana, connect):
    device = await connect(ana)
    await rate_often(device, "self_compassion_break", 5)
    await device.rate(4, about="ex_self_compassion_break")
    answer = await device.receive()
    (reason,) = [e["reason"] for e in answer["content"]["elements"] if e["id"] == "ex_self_compassion_break"]
    assert reason == "You rated the self-compassion break 4 of 5."


# --- settings ----------------------------------------------------------------------------------------


async def test_settings_are_acknowledged_and_told(ana, connect):
    device = await connect(ana)
    answer = await device.set(intensity="low", preferred_approaches=["somatic"], country="DE", language="es")
    assert answer["metadata"]["settings"] == {
        "intensity": "low",
        "preferred_approaches": ["somatic"],
        "country": "DE",
        "language": "es",
    }


async def test_settings_last(ana, connect, another_process):
    await (await connect(ana)).set(intensity="low", preferred_approaches=["somatic"])
    another_process()
    answer = await (await connect(ana)).set(country="DE")
    shown = answer["metadata"]["settings"]
    assert (shown["intensity"], shown["preferred_approaches"], shown["country"]) == ("low", ["somatic"], "DE")


async def test_settings_not_given_stay(ana, connect):
    device = await connect(ana)
    await device.set(intensity="high", country="DE")
    assert (await device.set(country="FR"))["metadata"]["settings"]["intensity"] == "high"


async def test_preferred_approaches_can_be_emptied(ana, connect):
    device = await connect(ana)
    await device.set(preferred_approaches=["somatic"])
    assert (await device.set(preferred_approaches=[]))["metadata"]["settings"]["preferred_approaches"] == []


async def test_settings_are_the_players_own(ana, cleo, connect):
    await (await connect(ana)).set(country="DE")
    assert (await (await connect(cleo)).set(intensity="low"))["metadata"]["settings"]["country"] == ""


async def test_low_intensity_recommends_no_demanding_exercise(ana, connect):
    from therapy.exercises.catalogue import CATALOGUE

    device = await connect(ana)
    await device.set(intensity="low")
    for _ in range(3):
        slugs = [found.removeprefix("ex_") for found in await recommended(device)]
        assert {CATALOGUE[slug].intensity for slug in slugs} == {"low"}


async def test_spanish_answers_follow_the_language(ana, connect):
    device = await connect(ana)
    answer = await device.set(language="es")
    assert answer["content"]["text"] == "Ajustes guardados."
    done = await device.do("breathing")
    assert done["content"]["text"].startswith("Hecho.")


# --- older clients -----------------------------------------------------------------------------------


async def test_action_completes_what_its_id_starts(ana, connect):
    """A client may name the exercise and say in `action` what it wants of it."""
    device = await connect(ana)
    for action in ("start_exercise", "complete_exercise"):
        await device.send("interaction", content={"action": action, "id": "ex_breathing"})
    assert (await device.frames(2))[1]["content"]["elements"][0]["type"] == "progress"


async def test_every_turn_belongs_to_a_session(ana, connect):
    device = await connect(ana)
    answer = await device.ask("Hello there")
    stored = {str(session) async for session in Message.objects.values_list("session_id", flat=True)}
    assert stored == {answer["session_id"]}
