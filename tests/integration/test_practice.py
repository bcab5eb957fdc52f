"""Exercises from the first press to what a clinician can see, as players do them over the socket."""

from __future__ import annotations

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from tests.integration.test_turns import element_ids
from therapy.crisis.assessment import Level
from therapy.crisis.detector import assess
from therapy.exercises.catalogue import CATALOGUE
from therapy.messages import utc_now
from therapy.models import ExerciseRun, PlayerProfile, ProgressMarker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unthrottled")]

DANGER = "I want to kill myself tonight"
#: At least one of them is low mood and no more, whatever the detector has learned.
LOW = (
    "I feel empty today",
    "everything sucks",
    "I feel awful",
    "I'm so lonely",
    "I feel so low today",
    "I'm not okay today",
)


async def press(device, element_id: str):
    await device.press(element_id)
    return await device.receive_until(role="interactive")


async def write(device, text: str):
    await device.say(text)
    return await device.receive_until(role="interactive")


async def walk(device, slug: str) -> None:
    """Through every step, with words where they are asked for."""
    await press(device, f"ex_{slug}_next")
    for step in CATALOGUE[slug].steps:
        await (
            write(device, "The bus was late on Monday.") if step.field else press(device, f"ex_{slug}_next")
        )


async def marker_types(player) -> list[str]:
    markers = ProgressMarker.objects.filter(player=player).order_by("achieved_at", "marker_id")
    return [kind async for kind in markers.values_list("marker_type", flat=True)]


# --- every exercise ----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("slug", CATALOGUE)
async def test_every_exercise_is_started_walked_and_completed(ana, connect, slug, language):
    device = await connect(ana)
    await device.set(language=language)
    started = await press(device, f"ex_{slug}")
    assert [e["type"] for e in started["content"]["elements"]] == ["instruction", "button"]
    assert started["content"]["elements"][0]["title"] == CATALOGUE[slug].title.get(language)
    await walk(device, slug)
    ended = await press(device, f"ex_{slug}_complete")
    (progress,) = [e for e in ended["content"]["elements"] if e["type"] == "progress"]
    marker = await ProgressMarker.objects.select_related("run").aget(player=ana)
    assert (str(marker.marker_id), marker.run.outcome) == (progress["id"], "completed")
    steps = len(CATALOGUE[slug].steps)
    assert (marker.run.steps_seen, marker.run.steps_total) == (steps, steps)
    assert marker.run.seconds_expected == CATALOGUE[slug].expected_seconds


async def test_run_keeps_the_evidence_of_its_walk(ana, connect):
    device = await connect(ana)
    for verb in ("", "_before_3", "_next", "_next", "_after_5", "_complete"):
        await press(device, f"ex_grounding{verb}")
    run = await ExerciseRun.objects.aget()
    assert (run.steps_seen, run.steps_total, run.mood_before, run.mood_after) == (2, 5, 3, 5)
    assert run.seconds_spent == 0


async def test_walk_goes_on_in_another_process(ana, connect, another_process):
    device = await connect(ana)
    for verb in ("", "_next", "_next"):
        await press(device, f"ex_grounding{verb}")
    another_process()
    shown = await press(await connect(ana), "ex_grounding_next")
    assert element_ids(shown, "instruction") == ["ex_grounding_step_3"]


async def test_walk_that_another_process_took_on_is_decided_anew(ana, connect):
    """This process still believes that the run is at its first step, and nothing of the other's act is lost."""
    device = await connect(ana)
    for verb in ("", "_next"):
        await press(device, f"ex_grounding{verb}")

    def step_on() -> None:
        run = ExerciseRun.objects.get()
        run.walk = {**run.walk, "step": 2, "furthest": 2}
        run.version += 1
        run.save()

    await sync_to_async(step_on)()
    shown = await press(device, "ex_grounding_next")
    assert element_ids(shown, "instruction") == ["ex_grounding_step_4"]


async def test_stopping_keeps_what_was_done_of_it(ana, connect):
    device = await connect(ana)
    for verb in ("", "_next", "_stop"):
        await press(device, f"ex_grounding{verb}")
    run = await ExerciseRun.objects.aget()
    assert (run.outcome, run.steps_seen) == ("stopped", 1)


# --- worksheets --------------------------------------------------------------------------------------


@pytest.fixture
async def sheet(ana, connect):
    """A device at the first question of a thought record."""
    device = await connect(ana)
    for verb in ("", "_next"):
        await press(device, f"ex_thought_record{verb}")
    return device


async def test_words_for_a_worksheet_are_kept_encrypted(ana, sheet):
    answer = await write(sheet, "The zanzibar bus was late.")
    assert answer["metadata"]["engine"] == "exercise"
    assert answer["metadata"]["safety"] == {"crisis": False, "types": [], "level": "none"}

    def raw() -> bytes:
        with connection.cursor() as cursor:
            cursor.execute("SELECT walk FROM therapy_exerciserun")
            return bytes(cursor.fetchone()[0])

    assert b"zanzibar" not in await sync_to_async(raw)()
    run = await ExerciseRun.objects.aget()
    assert run.walk["answers"] == {"situation": "The zanzibar bus was late."}


async def test_worksheet_goes_on_in_another_process(ana, sheet, connect, another_process):
    await write(sheet, "I missed the bus.")
    another_process()
    later = await connect(ana)
    await write(later, "Always me.")
    run = await ExerciseRun.objects.aget()
    assert run.walk["answers"] == {"situation": "I missed the bus.", "thought": "Always me."}


@pytest.mark.parametrize("is_another_process", [False, True])
async def test_words_for_a_worksheet_reach_no_engine(
    ana, sheet, connect, another_process, monkeypatch, is_another_process
):
    from chat.processing import processor

    asked = []
    answer = processor().answerer.answer

    async def listen(request):
        asked.append(request)
        return await answer(request)

    await write(sheet, "Only zanzibar knows.")
    await sheet.send("user_message", id="mine", content={"text": "Zanzibar again."})
    await sheet.receive_until(role="interactive")
    await press(sheet, "ex_thought_record_stop")
    if is_another_process:
        another_process()
    monkeypatch.setattr(processor().answerer, "answer", listen)
    await (await connect(ana)).ask("Hello there")
    assert asked[0].recent == ()


@pytest.mark.parametrize("is_another_process", [False, True])
async def test_low_words_that_a_worksheet_asks_for_add_up_to_no_alarm(
    ana, sheet, connect, another_process, is_another_process
):
    low = next(text for text in LOW if assess(text).level is Level.CHECK_IN)
    for _ in range(4):
        await write(sheet, low)
    if is_another_process:
        another_process()
        sheet = await connect(ana)
    answer = await write(sheet, low)
    assert (answer["metadata"]["engine"], answer["metadata"]["safety"]["crisis"]) == ("exercise", False)
    await press(sheet, "ex_thought_record_stop")
    for _ in range(3):
        assert (await sheet.ask(low))["metadata"]["safety"]["level"] == "check_in"
    assert (await sheet.ask(low))["metadata"]["safety"]["level"] == "elevated"  # as conversation they do


async def test_danger_in_a_worksheet_is_answered_first(ana, sheet):
    answer = await sheet.ask(DANGER)
    assert answer["metadata"]["engine"] == "crisis"
    assert (await ExerciseRun.objects.aget()).walk["answers"] == {}


@pytest.mark.parametrize("is_another_process", [False, True])
async def test_after_danger_words_are_conversation_until_a_step_is_asked_for(
    ana, sheet, connect, another_process, is_another_process
):
    from chat.processing import processor

    await sheet.ask(DANGER)
    processor().sessions.known(ana.pk).episode = None  # the conversation about it is over
    await PlayerProfile.objects.aupdate(crisis_episode=None)
    if is_another_process:
        another_process()
    device = await connect(ana)
    assert (await device.ask("The weather is nice today"))["metadata"]["engine"] == "embedded"
    if is_another_process:
        another_process()
        device = await connect(ana)
    await press(device, "ex_thought_record_next")
    assert (await write(device, "I missed the bus."))["metadata"]["engine"] == "exercise"


# --- the safety plan in a crisis ---------------------------------------------------------------------


async def make_plan(device) -> None:
    for verb in ("", "_next"):
        await press(device, f"ex_safety_plan{verb}")
    await write(device, "I stop answering zanzibar.")
    await press(device, "ex_safety_plan_complete")


@pytest.mark.parametrize("is_another_process", [False, True])
async def test_safety_plan_is_shown_first_in_a_crisis(ana, connect, another_process, is_another_process):
    device = await connect(ana)
    await make_plan(device)
    if is_another_process:
        another_process()
        device = await connect(ana)
    plan, *others = (await device.ask(DANGER))["content"]["elements"]
    assert (plan["type"], plan["id"], plan["title"]) == ("instruction", "safety_plan", "Your safety plan")
    assert "I stop answering zanzibar." in plan["steps"][0]["text"]
    assert "resource" in [element["type"] for element in others]


async def test_safety_plan_is_shown_also_when_nothing_can_be_stored(ana, connect, monkeypatch):
    from therapy import journal

    device = await connect(ana)
    await make_plan(device)

    def unavailable(turns):
        return [journal.JournalUnavailableError() for _ in turns]

    monkeypatch.setattr(journal, "append_turns", unavailable)
    answer = await device.ask(DANGER)
    assert answer["metadata"]["stored"] is False
    assert answer["content"]["elements"][0]["id"] == "safety_plan"


async def test_newest_plan_with_words_is_the_one_that_is_shown(ana, connect, another_process):
    device = await connect(ana)
    await make_plan(device)
    await device.do("safety_plan")
    another_process()
    answer = await (await connect(ana)).ask(DANGER)
    assert "zanzibar" in answer["content"]["elements"][0]["label"]


async def test_plan_of_another_player_is_shown_to_nobody_else(ana, cleo, connect):
    await make_plan(await connect(ana))
    answer = await (await connect(cleo)).ask(DANGER)
    assert "safety_plan" not in [element["id"] for element in answer["content"]["elements"]]


async def test_record_for_the_clinic_holds_no_words_of_the_plan(ana, connect):
    from therapy.models import CrisisEvent

    device = await connect(ana)
    await make_plan(device)
    await device.ask(DANGER)
    assert "zanzibar" not in str((await CrisisEvent.objects.aget()).evidence)


# --- rating afterwards -------------------------------------------------------------------------------


@pytest.mark.parametrize("is_another_process", [False, True])
async def test_mood_afterwards_moves_the_value_of_the_one_marker(
    ana, connect, another_process, is_another_process
):
    device = await connect(ana)
    for verb in ("", "_before_2"):
        await press(device, f"ex_breathing{verb}")
    long_ago = utc_now() - timedelta(seconds=76)
    run = await ExerciseRun.objects.aget()
    run.walk = {**run.walk, "touched_at": long_ago.isoformat()}
    await run.asave()
    another_process()
    device = await connect(ana)
    done = await press(device, "ex_breathing_complete")
    assert done["content"]["elements"][0]["therapeutic_value"] == 0.5
    if is_another_process:
        another_process()
        device = await connect(ana)
    await press(device, "ex_breathing_after_6")
    marker = await ProgressMarker.objects.select_related("run").aget()
    assert (marker.therapeutic_value, marker.run.mood_after) == (0.9, 6)
    await device.press("ex_breathing_after_10")
    assert (await device.error())["code"] == "rating_closed"
    assert (await ProgressMarker.objects.aget()).therapeutic_value == 0.9


async def test_mood_that_another_process_has_noted_is_not_noted_again(ana, connect):
    device = await connect(ana)
    for verb in ("", "_before_2", "_complete"):
        await press(device, f"ex_breathing{verb}")
    await ExerciseRun.objects.aupdate(mood_after=5, version=9)
    await device.press("ex_breathing_after_9")
    assert (await device.error())["code"] == "rating_closed"


# --- markers beside the run's own --------------------------------------------------------------------


async def move_back(**ago: int) -> None:
    """As if everything had been done so long ago."""
    async for run in ExerciseRun.objects.all():
        run.started_at -= timedelta(**ago)
        run.ended_at = run.ended_at and run.ended_at - timedelta(**ago)
        await run.asave()


async def test_first_completion_earns_one_marker(ana, connect):
    await (await connect(ana)).do("breathing")
    assert await marker_types(ana) == ["SKILL_ACQUIRED"]


@pytest.mark.parametrize("is_another_process", [False, True])
async def test_third_completion_is_a_milestone(ana, connect, another_process, is_another_process):
    for _ in range(3):
        await (await connect(ana)).do("breathing")
        if is_another_process:
            another_process()
    assert await marker_types(ana) == ["SKILL_ACQUIRED", "SKILL_ACQUIRED", "MILESTONE"]


async def test_three_days_in_a_row_are_shown_and_recorded_once(ana, connect, another_process):
    for _ in range(2):
        await (await connect(ana)).do("breathing")
        await move_back(days=1)
        another_process()
    device = await connect(ana)
    shown = await device.do("grounding")
    assert len(element_ids(shown, "progress")) == 2
    await device.do("worry_time")
    another_process()
    await (await connect(ana)).do("cyclic_sighing")
    earned = ProgressMarker.objects.filter(earned_by__startswith="streak:3:")
    assert [marker.marker_type async for marker in earned] == ["MILESTONE"]


@pytest.mark.parametrize("is_another_process", [False, True])
async def test_goal_lasts_and_is_reached_once(ana, connect, another_process, is_another_process):
    device = await connect(ana)
    told = await device.set(goal={"exercise": "breathing", "times": 2})
    assert told["metadata"]["settings"]["goal"] == {"exercise": "breathing", "times": 2}
    for _ in range(3):
        await device.do("breathing")
        if is_another_process:
            another_process()
            device = await connect(ana)
    assert sorted(await marker_types(ana)) == sorted(
        ["SKILL_ACQUIRED", "SKILL_ACQUIRED", "GOAL_ACHIEVED", "MILESTONE"]
    )


async def test_same_goal_said_again_goes_on(ana, connect):
    device = await connect(ana)
    for _ in range(2):
        await device.set(goal={"exercise": "breathing", "times": 2})
        await device.do("breathing")
    assert "GOAL_ACHIEVED" in await marker_types(ana)


async def test_goal_can_be_given_up(ana, connect, another_process):
    device = await connect(ana)
    await device.set(goal={"exercise": "breathing", "times": 1})
    await device.set(country="IE")
    assert "goal" not in (await device.set(goal=None))["metadata"]["settings"]
    another_process()
    await (await connect(ana)).do("breathing")
    assert await marker_types(ana) == ["SKILL_ACQUIRED"]


@pytest.mark.parametrize(
    "goal",
    [{"exercise": "yoga", "times": 1}, {"exercise": "breathing", "times": 51}, {"exercise": "breathing"}],
)
async def test_goal_that_can_not_be_is_refused(ana, connect, goal):
    device = await connect(ana)
    await device.send("update_settings", content={"goal": goal})
    assert (await device.error())["field"].startswith("content.goal")
    assert (await PlayerProfile.objects.aget(player=ana)).goal is None


async def test_difficult_week_overcome_is_recorded_with_the_rating_that_shows_it(ana, connect):
    device = await connect(ana)
    for slug in ("grounding", "breathing", "cyclic_sighing"):
        for verb in ("", "_before_2", "_complete"):
            await press(device, f"ex_{slug}{verb}")
        shown = await press(device, f"ex_{slug}_after_7")
    assert [e["marker_type"] for e in shown["content"]["elements"]] == ["SETBACK_OVERCOME"]
    assert (await marker_types(ana)).count("SETBACK_OVERCOME") == 1


# --- what suits --------------------------------------------------------------------------------------


async def note(player, **limits) -> None:
    await PlayerProfile.objects.filter(pk=player.pk).aupdate(**limits)


@pytest.mark.parametrize(
    "limits",
    [
        {"contraindications": ["breath_hold"]},
        {"denied_exercises": ["breathing"]},
        {"allowed_exercises": ["worry_time"]},
    ],
)
async def test_what_does_not_suit_is_neither_started_nor_offered_nor_recommended(
    ana, connect, another_process, limits
):
    await (await connect(ana)).set(intensity="high")
    await note(ana, **limits)
    another_process()
    device = await connect(ana)
    await device.press("ex_breathing")
    assert (await device.error())["code"] == "exercise_not_suitable"
    assert not await ExerciseRun.objects.aexists()
    answer = await device.ask("I'm anxious about tomorrow")
    assert "ex_grounding" in element_ids(answer, "button")
    assert "ex_breathing" not in element_ids(answer, "button")
    assert "breath" not in answer["content"]["text"].lower()
    assert "ex_breathing" not in [found["id"] for found in answer["metadata"]["recommendations"]]


async def test_crisis_offers_no_exercise_that_does_not_suit(ana, connect, another_process):
    device = await connect(ana)
    offered = element_ids(await device.ask("I have a panic attack right now and cannot breathe"), "button")
    denied = [found.removeprefix("ex_") for found in offered if found != "ex_grounding"]
    assert denied
    await note(ana, denied_exercises=denied, crisis_episode=None)
    another_process()
    answer = await (await connect(ana)).ask("I have a panic attack right now and cannot breathe")
    assert set(element_ids(answer, "button")) == set(offered) - {f"ex_{slug}" for slug in denied}


async def test_goal_of_what_does_not_suit_is_refused(ana, connect, another_process):
    await (await connect(ana)).set(country="IE")
    await note(ana, denied_exercises=["breathing"])
    another_process()
    device = await connect(ana)
    await device.send("update_settings", content={"goal": {"exercise": "breathing", "times": 1}})
    assert (await device.error())["code"] == "exercise_not_suitable"


async def test_what_a_clinician_notes_is_felt_within_five_minutes(ana, connect):
    from chat.processing import processor

    device = await connect(ana)
    await device.do("breathing")
    await note(ana, denied_exercises=["breathing"])
    await device.do("breathing")
    processor().sessions.known(ana.pk).limits_read_at -= 301
    await device.press("ex_breathing")
    assert (await device.error())["code"] == "exercise_not_suitable"


async def test_experience_is_the_same_in_another_process(ana, connect, another_process):
    from chat.processing import processor

    device = await connect(ana)
    await device.rate(2, about="ex_breathing")
    await device.receive_until(role="system")
    for verb in ("", "_before_2", "_complete", "_after_6"):
        await press(device, f"ex_breathing{verb}")
    await device.rate(4)
    await device.receive_until(role="system")
    for verb in ("", "_stop"):
        await press(device, f"ex_grounding{verb}")
    known = dict(processor().sessions.known(ana.pk).experiences)
    another_process()
    assert (await processor().sessions.load(ana.pk)).experiences == known


async def test_recommendations_follow_what_the_words_are_about(ana, connect):
    answer = await (await connect(ana)).ask("I'm so angry at my boss")
    reasons = [found["reason"] for found in answer["metadata"]["recommendations"]]
    assert "It fits what you are writing about." in reasons


@pytest.mark.parametrize(("verb", "is_completed"), [("complete", True), ("stop", False)])
async def test_only_a_completed_exercise_speaks_of_calm(ana, connect, verb, is_completed):
    from chat.processing import processor

    device = await connect(ana)
    for press_of in ("", f"_{verb}"):
        await press(device, f"ex_breathing{press_of}")
    heard = processor().sessions.known(ana.pk).heard
    assert [act.exercise_completed for act in heard] == ([True] if is_completed else [])


async def test_player_who_is_gone_has_no_limits(ana):
    from therapy.sessions import load_limits

    with pytest.raises(LookupError):
        await sync_to_async(load_limits)(0)
