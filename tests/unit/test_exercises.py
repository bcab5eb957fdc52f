"""The catalogue, and the walk through one exercise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from therapy.exercises import catalogue
from therapy.exercises.catalogue import CATALOGUE, CatalogueError, Exercise, in_crisis, load_exercise
from therapy.exercises.walk import ANSWER_MAX, Evidence, Walk, WalkError, therapeutic_value
from therapy.messages import Approach, Language

SLUGS = {
    "breathing",
    "box_breathing",
    "resonance_breathing",
    "cyclic_sighing",
    "grounding",
    "muscle_relaxation",
    "thought_record",
    "behavioural_activation",
    "urge_surfing",
    "paced_tipp",
    "self_compassion_break",
    "worry_time",
    "problem_solving",
    "safety_plan",
}
WORKSHEETS = {"thought_record", "behavioural_activation", "worry_time", "problem_solving", "safety_plan"}
LANGUAGES: tuple[Language, ...] = get_args(Language)
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

each_exercise = pytest.mark.parametrize("exercise", CATALOGUE.values(), ids=list(CATALOGUE))
each_language = pytest.mark.parametrize("language", LANGUAGES)


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


# --- the catalogue ---------------------------------------------------------------------------------


def test_the_catalogue_holds_the_fourteen() -> None:
    assert set(CATALOGUE) == SLUGS


def test_the_catalogue_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        CATALOGUE["breathing"] = CATALOGUE["grounding"]  # type: ignore[index]


@each_exercise
def test_every_exercise_has_cautions_and_a_source(exercise: Exercise) -> None:
    assert exercise.cautions
    assert exercise.source


@each_exercise
@each_language
def test_every_exercise_can_be_read_in_every_language(exercise: Exercise, language: Language) -> None:
    localized = exercise.localized(language)
    assert len(localized.steps) == len(exercise.steps)
    assert all(step.text for step in localized.steps)
    assert localized.language == language


@each_exercise
def test_no_spanish_text_is_left_in_english(exercise: Exercise) -> None:
    english, spanish = exercise.localized("en"), exercise.localized("es")
    assert not set(_sentences(english)) & set(_sentences(spanish))


def _sentences(localized: catalogue.LocalizedExercise) -> list[str]:
    steps = [text for step in localized.steps for text in (step.text, step.prompt) if text]
    return [localized.title, localized.button, localized.summary, *localized.cautions, *steps]


@each_exercise
def test_spanish_speaks_to_tu(exercise: Exercise) -> None:
    words = " ".join(_sentences(exercise.localized("es"))).casefold().split()
    assert not {"usted", "ustedes", "vosotros", "vos"} & {word.strip(".,:;¿?¡!") for word in words}


def test_texts_are_translated_once() -> None:
    assert CATALOGUE["breathing"].localized("es") is CATALOGUE["breathing"].localized("es")


@each_exercise
def test_each_condition_against_an_exercise_is_explained_in_a_caution(exercise: Exercise) -> None:
    told = {condition for caution in exercise.cautions for condition in caution.when}
    untold = set(exercise.contraindications) - told - {"acute_crisis"}
    assert not untold


@each_exercise
def test_whoever_must_not_hold_the_breath_is_kept_from_holds(exercise: Exercise) -> None:
    assert exercise.has_breath_hold == ("breath_hold" in exercise.contraindications)


def test_only_worksheets_ask_for_words() -> None:
    assert {e.slug for e in CATALOGUE.values() if any(step.field for step in e.steps)} == WORKSHEETS


def test_breathing_is_four_seven_eight_four_times() -> None:
    breathing = CATALOGUE["breathing"]
    assert ([step.seconds for step in breathing.steps], breathing.cycles) == ([4, 7, 8], 4)


def test_grounding_counts_down_the_five_senses() -> None:
    texts = [step.text for step in CATALOGUE["grounding"].localized("en").steps]
    numbers = ["five", "four", "three", "two", "one"]
    senses = ["see", "touch", "hear", "smell", "taste"]
    assert all(n in t and s in t for t, n, s in zip(texts, numbers, senses, strict=True))


def test_the_safety_plan_has_six_parts_in_their_order() -> None:
    assert [step.field for step in CATALOGUE["safety_plan"].steps] == [
        "warning_signs",
        "own_coping",
        "people_and_places",
        "people_to_ask",
        "professionals",
        "safer_surroundings",
    ]


# --- in a crisis -----------------------------------------------------------------------------------


def test_in_a_crisis_nothing_is_long_held_or_strenuous() -> None:
    offered = in_crisis()
    assert offered
    assert all(e.is_short and not e.has_breath_hold and not e.has_exertion for e in offered)


def test_in_a_crisis_grounding_comes_first_and_no_worksheet_comes() -> None:
    offered = in_crisis()
    assert offered[0].slug == "grounding"
    assert not WORKSHEETS & {e.slug for e in offered}


@pytest.mark.parametrize(
    "changes",
    [
        {"duration_seconds": 301},
        {"has_breath_hold": True},
        {"has_exertion": True},
        {"contraindications": ("acute_crisis",)},
    ],
)
def test_what_strains_is_left_out_of_a_crisis(changes: dict[str, Any]) -> None:
    assert in_crisis([CATALOGUE["grounding"].model_copy(update=changes)]) == ()


def test_cold_and_exertion_are_off_until_switched_on() -> None:
    tipp = CATALOGUE["paced_tipp"]
    assert set(tipp.optional_parts) == {"cold", "exertion"}
    words = " ".join(_sentences(tipp.localized("en"))).casefold()
    assert "cold" not in words
    assert not tipp.has_exertion


def test_a_part_switched_on_brings_its_steps_cautions_and_contraindications() -> None:
    tipp = CATALOGUE["paced_tipp"]
    tipp.localized("en")
    cold = tipp.with_part("cold")
    assert "cold" in cold.localized("en").steps[0].text
    assert "beta blockers" in cold.localized("en").cautions[0]
    assert {"beta_blockers", "injury"} <= set(cold.contraindications)
    assert cold.duration_seconds == tipp.duration_seconds + 30


def test_exertion_switched_on_keeps_the_exercise_out_of_a_crisis() -> None:
    assert CATALOGUE["paced_tipp"].with_part("exertion").has_exertion


# --- broken files ----------------------------------------------------------------------------------

SOUND = (Path(catalogue.__file__).parent / "breathing.toml").read_text(encoding="utf-8")
SOUND_SHEET = (Path(catalogue.__file__).parent / "problem_solving.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("found", "planted", "field"),
    [
        ('intensity = "low"', 'intensity = "mild"', "intensity"),
        ('helps_with = ["anxiety",', 'helps_with = ["nerves",', "helps_with.0"),
        ('"somatic", "mindfulness"', '"astrology"', "approaches.0"),
        ('text.es = "Suelta el aire despacio por la boca."', "", "steps.2.text.es"),
        ('text.es = "Suelta el aire despacio por la boca."', 'text.es = " "', "steps.2.text.es"),
        ("duration_seconds = 76", "duration_seconds = 90", "duration_seconds"),
        ("seconds = 8", "seconds = 0", "duration_seconds"),
        ("cycles = 4", "cycles = 0", "cycles"),
        ("rates_mood = true", "rates_moods = true", "rates_moods"),
        ('source = "', 'source = ""  # "', "source"),
        ("cycles = 4", "cycles = ", "not TOML"),
        ("seconds = 8", 'seconds = 8\nfield = "a"', "steps.2"),
    ],
)
def test_a_broken_file_is_refused_by_its_name_and_field(
    tmp_path: Path, found: str, planted: str, field: str
) -> None:
    assert found in SOUND
    path = tmp_path / "breathing.toml"
    path.write_text(SOUND.replace(found, planted, 1), encoding="utf-8")
    with pytest.raises(CatalogueError, match=rf"^breathing\.toml: .*{field}"):
        load_exercise(path)


@pytest.mark.parametrize(
    ("found", "planted", "complaint"),
    [
        ('kind = "worksheet"', 'kind = "steps"', "asks for the player's words"),
        ('field = "plan"', 'field = "choice"', "named twice"),
        ('field = "plan"', 'field = "plan"\nseconds = 900\n', None),
        ('field = "plan"', 'field = "plan"\nseconds = 901\n', "seconds"),
        ("duration_seconds = 900", "duration_seconds = 600", None),
    ],
)
def test_a_worksheet_asks_for_words_each_once(
    tmp_path: Path, found: str, planted: str, complaint: str | None
) -> None:
    path = tmp_path / "problem_solving.toml"
    path.write_text(SOUND_SHEET.replace(found, planted, 1), encoding="utf-8")
    if complaint is None:
        assert load_exercise(path).slug == "problem_solving"
        return
    with pytest.raises(CatalogueError, match=complaint):
        load_exercise(path)


def test_steps_longer_than_the_whole_are_refused() -> None:
    with pytest.raises(ValidationError, match="steps alone take 180 seconds"):
        Exercise.model_validate({**dict(CATALOGUE["grounding"]), "duration_seconds": 179})


# --- what a run is worth ---------------------------------------------------------------------------


def evidence(**changes: Any) -> Evidence:
    facts: dict[str, Any] = {
        "seconds_spent": 80,
        "seconds_expected": 80,
        "steps_seen": 5,
        "steps_total": 5,
        **changes,
    }
    return Evidence(**facts)


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ({}, 0.5),
        ({"seconds_spent": 64}, 0.5),
        ({"seconds_spent": 32}, 0.25),
        ({"seconds_spent": 2}, 0.05),
        ({"seconds_spent": 2, "mood_before": 0, "mood_after": 10}, 0.05),
        ({"steps_seen": 2}, 0.2),
        ({"mood_before": 4, "mood_after": 4}, 0.5),
        ({"mood_before": 4, "mood_after": 6}, 0.7),
        ({"mood_before": 2, "mood_after": 9}, 1.0),
        ({"mood_before": 6, "mood_after": 4}, 0.4),
        ({"mood_before": 10, "mood_after": 0}, 0.25),
        ({"mood_after": 10}, 0.5),
        ({"seconds_expected": 0}, 0.05),
    ],
)
def test_value_follows_the_rule(changes: dict[str, Any], value: float) -> None:
    assert therapeutic_value(evidence(**changes)) == pytest.approx(value, abs=0.0005)


moods = st.none() | st.integers(0, 10)
any_evidence = st.builds(
    Evidence,
    seconds_spent=st.floats(-10, 1e6),
    seconds_expected=st.floats(0, 1e4),
    steps_seen=st.integers(0, 40),
    steps_total=st.integers(1, 30),
    mood_before=moods,
    mood_after=moods,
)


@given(any_evidence)
def test_value_is_never_nothing_and_never_above_one(found: Evidence) -> None:
    assert 0.05 <= therapeutic_value(found) <= 1


@given(st.floats(0, 500), st.floats(0, 500), moods, moods)
def test_more_time_is_never_worth_less(one: float, two: float, before: int | None, after: int | None) -> None:
    ratings = {"mood_before": before, "mood_after": after}
    less, more = (evidence(seconds_spent=s, **ratings) for s in sorted((one, two)))
    assert therapeutic_value(less) <= therapeutic_value(more)


@given(st.integers(0, 5), st.integers(0, 5))
def test_more_steps_are_never_worth_less(one: int, two: int) -> None:
    less, more = (evidence(steps_seen=steps) for steps in sorted((one, two)))
    assert therapeutic_value(less) <= therapeutic_value(more)


@given(st.integers(0, 10), st.integers(0, 10), st.integers(0, 10))
def test_better_mood_is_never_worth_less(before: int, one: int, two: int) -> None:
    less, more = (evidence(mood_before=before, mood_after=mood) for mood in sorted((one, two)))
    assert therapeutic_value(less) <= therapeutic_value(more)


# --- walking ---------------------------------------------------------------------------------------


@pytest.fixture
def walk() -> Walk:
    return Walk.begin(CATALOGUE["grounding"], NOON)


@pytest.fixture
def sheet() -> Walk:
    return Walk.begin(CATALOGUE["thought_record"], NOON).next(later(5))


def test_a_walk_enters_at_the_first_step_when_steps_are_asked_for(walk: Walk) -> None:
    assert (walk.step, walk.next(later(1)).step) == (None, 0)


def test_next_and_back_move_one_step(walk: Walk) -> None:
    assert walk.next(later(1)).next(later(2)).next(later(3)).back(later(4)).step == 1


def test_back_stays_at_the_first_step(walk: Walk) -> None:
    assert walk.next(later(1)).back(later(2)).step == 0


def test_next_stays_at_the_last_step(walk: Walk) -> None:
    for second in range(9):
        walk = walk.next(later(second))
    assert walk.step == 4
    assert walk.is_at_last_step


def test_going_back_does_not_unsee_steps(walk: Walk) -> None:
    walk = walk.next(later(1)).next(later(2)).back(later(3))
    assert (walk.evidence().steps_seen, walk.evidence().steps_total) == (2, 5)


def test_who_reads_the_whole_instruction_has_seen_all_steps(walk: Walk) -> None:
    assert walk.complete(later(170)).evidence() == Evidence(170, 180, 5, 5)


def test_a_full_run_without_ratings_is_worth_a_half(walk: Walk) -> None:
    assert therapeutic_value(walk.complete(later(170)).evidence()) == 0.5


def test_a_night_away_counts_as_one_whole_exercise(walk: Walk) -> None:
    away = walk.next(later(10)).next(later(36_000)).complete(later(36_020))
    assert away.seconds_spent == 10 + 180 + 20


def test_a_clock_that_runs_backwards_takes_nothing(walk: Walk) -> None:
    assert walk.next(later(10)).next(later(3)).complete(later(12)).seconds_spent == 12


def test_a_third_of_its_time_does_for_a_worksheet(sheet: Walk) -> None:
    assert sheet.evidence().seconds_expected == CATALOGUE["thought_record"].duration_seconds / 3


def test_a_worksheet_asks_only_once_walked() -> None:
    sheet = Walk.begin(CATALOGUE["thought_record"], NOON)
    assert (sheet.asks_for, sheet.next(later(5)).asks_for) == (None, "situation")


def test_an_answer_is_kept_and_leads_on(sheet: Walk) -> None:
    sheet = sheet.answer(" The bus left without me. ", later(60))
    assert sheet.answers == {"situation": "The bus left without me."}
    assert sheet.asks_for == "thought"


def test_every_answer_is_kept(sheet: Walk) -> None:
    sheet = sheet.answer("The bus left.", later(60)).answer("Always me.", later(90))
    assert sheet.answers == {"situation": "The bus left.", "thought": "Always me."}


def test_an_answer_can_be_changed(sheet: Walk) -> None:
    sheet = sheet.answer("bus", later(60)).back(later(61)).answer("The bus left.", later(70))
    assert sheet.answers == {"situation": "The bus left."}


def test_an_answer_is_bounded(sheet: Walk) -> None:
    assert len(sheet.answer("a" * 10_000, later(9)).answers["situation"]) == ANSWER_MAX


def test_a_step_without_a_question_takes_no_answer() -> None:
    worry = Walk.begin(CATALOGUE["worry_time"], NOON).next(NOON).answer("rent", NOON).answer("at six", NOON)
    with pytest.raises(WalkError, match="nothing_asked"):
        worry.answer("hello", NOON)


@pytest.mark.parametrize("ending", ["complete", "stop"])
def test_a_walk_that_is_over_takes_no_more_acts(sheet: Walk, ending: str) -> None:
    over: Walk = getattr(sheet, ending)(later(90))
    assert over.asks_for is None
    for act in (over.next, over.back, over.complete, over.stop, lambda at: over.answer("x", at)):
        with pytest.raises(WalkError, match="over"):
            act(later(91))


def test_mood_may_be_rated_after_the_end_but_not_before_the_start(walk: Walk) -> None:
    over = walk.rate("before", 3).complete(later(170))
    assert therapeutic_value(over.rate("after", 5).evidence()) == 0.7
    with pytest.raises(WalkError, match="over"):
        over.rate("before", 0)


@pytest.mark.parametrize("mood", [-1, 11])
def test_a_mood_off_the_scale_is_refused(walk: Walk, mood: int) -> None:
    with pytest.raises(ValidationError):
        walk.rate("before", mood)


acts = st.lists(
    st.one_of(
        st.sampled_from(["next", "back"]),
        st.text(min_size=1, max_size=20),
        st.tuples(st.sampled_from(["before", "after"]), st.integers(0, 10)),
    ),
    max_size=20,
)


@given(st.sampled_from(sorted(CATALOGUE)), acts)
def test_a_walk_resumes_from_json_where_it_was(slug: str, done: list[Any]) -> None:
    walk = Walk.begin(CATALOGUE[slug], NOON)
    for number, act in enumerate(done):
        walk = _act(walk, act, later(number))
    assert Walk.model_validate_json(walk.model_dump_json()) == walk
    assert walk.step is None or 0 <= walk.step < len(walk.fields)


def _act(walk: Walk, act: Any, at: datetime) -> Walk:
    if isinstance(act, tuple):
        return walk.rate(*act)
    if act in ("next", "back"):
        return walk.next(at) if act == "next" else walk.back(at)
    return walk.answer(act, at) if walk.asks_for else walk


def test_every_approach_has_an_exercise_but_narrative() -> None:
    offered = {approach for e in CATALOGUE.values() for approach in e.approaches}
    assert offered == set(get_args(Approach)) - {"narrative"}


@each_exercise
def test_the_documented_table_says_what_the_file_says(exercise: Exercise) -> None:
    page = (Path(__file__).parents[2] / "docs" / "exercises.md").read_text(encoding="utf-8")
    minutes, seconds = divmod(exercise.duration_seconds, 60)
    cells = [
        f"`{exercise.slug}`",
        exercise.kind,
        f"{minutes}:{seconds:02d}",
        exercise.intensity,
        ", ".join(exercise.helps_with),
        ", ".join(exercise.contraindications),
    ]
    assert f"| {' | '.join(cells)} |" in page
