"""The detector's promises on single lines: whose voice, which time, how bad, and why."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transcripts.stage import load_scripts
from therapy.crisis.assessment import CALM, Heard, Level
from therapy.crisis.detector import _level, assess
from therapy.crisis.model import Scores

CRISES = {
    "explicit": "I want to kill myself and I can't stop thinking about it",
    "typographic apostrophe": "I don’t want to live anymore",
    "no apostrophe": "i dont want to be alive anymore",
    "slang": "gonna unalive myself tonight no joke",
    "masked": "i want to k!ll mys3lf",
    "spelled": "s u i c i d e is all i think about",
    "misspelled": "i wnat to kil myslef",
    "stretched": "i want to dieeeee so bad please help",
    "plan": "I have the pills lined up and I'm taking them tonight",
    "self-harm": "I cut my arms again last night",
    "panic": "I'm having a panic attack right now and I can't breathe",
    "hopeless": "I feel hopeless and worthless, nothing will ever get better",
    "abuse": "my husband hits me and I'm scared to go home",
    "relapse": "I relapsed last night and I can't stop drinking",
    "game, then not": "my character wants to die and honestly I want to kill myself too",
    "negation that denies nothing": "I can't promise I won't hurt myself tonight",
    "Spanish": "ya no quiero seguir viviendo",
    "Spanish, no accents": "me quiero matar esta noche",
}

CALM_TALK = {
    "game action": "I kill the dragon and drink the potion",
    "fiction": "in the novel the hero says 'I want to die' and jumps into the sea",
    "idiom": "this homework is killing me",
    "laughing": "I'm dying of laughter",
    "tech": "how do I kill a zombie process",
    "negation": "I would never hurt myself",
    "third person": "my friend tried to kill himself years ago and he is doing great now",
    "past": "five years ago I wanted to die, today I love my life",
    "information": "what are the warning signs of suicide, for a first aid course",
    "everyday": "my phone died and the shop is shut",
    "Spanish idiom": "me muero de hambre",
    "Spanish game": "mato al dragón con mi espada",
}


@pytest.mark.parametrize("text", CRISES.values(), ids=CRISES)
def test_crisis_is_noticed(text: str) -> None:
    assert assess(text).is_crisis


@pytest.mark.parametrize("text", CALM_TALK.values(), ids=CALM_TALK)
def test_calm_talk_raises_no_alarm(text: str) -> None:
    assert not assess(text).is_crisis


def test_empty_text_is_calm() -> None:
    assert assess("") == CALM


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (CRISES["explicit"], "suicidal_ideation"),
        (CRISES["self-harm"], "self_harm"),
        (CRISES["panic"], "panic_attack"),
        (CRISES["hopeless"], "severe_depression"),
        (CRISES["abuse"], "abuse"),
        (CRISES["relapse"], "substance_abuse"),
        ("the flashbacks won't stop, I keep reliving what happened to me", "trauma_response"),
        ("I'm falling apart, I need help right now, somebody please", "general_distress"),
    ],
)
def test_kind_of_crisis_is_named(text: str, kind: str) -> None:
    assert kind in assess(text).types


def test_means_at_hand_are_imminent() -> None:
    assert assess("the rope is tied and I'm standing on the edge of the roof").level is Level.IMMINENT


def test_wish_to_die_without_plan_is_high() -> None:
    assert assess("I really want to die").level is Level.HIGH


def test_low_mood_asks_gently() -> None:
    assert assess("I feel so lonely lately").level is Level.CHECK_IN


def test_reason_points_into_original_text() -> None:
    text = "Well…   I WANT to k i l l  MYSELF!!"
    spans = [text[reason.start : reason.end] for reason in assess(text).reasons if reason.end]
    assert any(span.startswith("I WANT") and span.endswith("MYSELF") for span in spans)


def test_reasons_name_what_weighed_in_the_model() -> None:
    assert any(r.rule.startswith("model: ") and r.weight > 0 for r in assess(CRISES["explicit"]).reasons)


def test_reasons_name_families_of_words_by_name() -> None:
    rules = [reason.rule for text in CRISES.values() for reason in assess(text).reasons]
    assert [rule for rule in rules if any("\ue000" <= letter <= "\uf8ff" for letter in rule)] == []


@pytest.mark.parametrize(
    ("high", "imminent", "level"),
    [(-1.0, -1.0, Level.ELEVATED), (0.5, -1.0, Level.HIGH), (0.5, 0.1, Level.IMMINENT)],
)
def test_model_grades_the_danger(high: float, imminent: float, level: Level) -> None:
    assert _level(Scores(1.0, 1.0, {"high": high, "imminent": imminent})) is level


@given(st.text(max_size=400))
@settings(max_examples=200, deadline=None)
def test_no_text_makes_it_raise(text: str) -> None:
    assess(text)


@pytest.mark.parametrize("text", ["\ud800 die", "\x00", "💀" * 50, "´`'’", "$", "a" * 70_000], ids=repr)
def test_odd_text_makes_no_trouble(text: str) -> None:
    assess(text)


@pytest.mark.parametrize(
    "piece",
    ["want to ", "i can not die my pills he hits me not never ", "a", "k m s ", "'!*", "s u i ", "no "],
)
def test_cost_grows_with_length_not_faster(piece: str) -> None:
    def cost(size: int) -> float:
        text, best = (piece * size)[:size], float("inf")
        for _ in range(5):
            start = time.thread_time()
            assess(text)
            best = min(best, time.thread_time() - start)
        return best

    assert cost(20_000) < 8 * cost(10_000) + 0.01


def test_detector_knows_no_django() -> None:
    code = (
        "import sys, therapy.crisis.detector; sys.exit(any(m.split('.')[0] == 'django' for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- what is typed all the time ---------------------------------------------------------------------

EVERYDAY = """
look / go north / take the lamp / open the door / jump / jump down / attack / kill the goblin / i die / respawn / quit / the end
hi / hello / yes / no / ok / maybe tomorrow / nothing / nobody / idk / i don't know / stop / wait / enough / i'm done / i can't today
bye / ok bye / goodbye / goodbye for now / good night / see you tomorrow / i have to go / i want to go home / i want to sleep
i'm tired / i'm bored / can't sleep / i hate mondays / say something / tell me a story / my plan for today / thanks / haha / blue / 42
hola / adiós / no sé / estoy cansado / quiero dormir / me voy a dormir / hasta mañana / nada / saltar el muro / mi plan
""".replace("\n", " / ").split(" / ")

IN_FEW_WORDS = (
    """
i want to die / kill myself / i'm suicidal / i don't want to live / i wish i was dead / i want to end it all / i cut myself
i'm going to kill myself / i took all the pills / he hit me again / i can't go on / i'm having a panic attack
quiero morir / me quiero matar / no quiero vivir
""".strip()
    .replace("\n", " / ")
    .split(" / ")
)


def test_words_that_are_typed_all_the_time_raise_no_alarm() -> None:
    assert [text for text in EVERYDAY if assess(text).is_crisis] == []


def test_danger_in_few_words_is_noticed() -> None:
    assert [text for text in IN_FEW_WORDS if not assess(text).is_crisis] == []


def test_ordinary_conversations_rarely_raise_an_alarm() -> None:
    """The players of tests/transcripts confide in somebody, and none is in danger but for a night of panic."""
    alarmed, lines = [], 0
    for script in load_scripts():
        heard: list[Heard] = []
        for line in script.player:
            assessment = assess(line, heard[-12:])
            heard.append(Heard(line, assessment))
            lines += 1
            if assessment.is_crisis:
                alarmed.append((script.title, line))
    assert len(alarmed) / lines < 0.05, alarmed
