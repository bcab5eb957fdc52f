"""Each rule of the screen, with the near misses that must pass."""

from __future__ import annotations

import time

import pytest

from therapy.replies.prompt import RULES
from therapy.replies.screening import LONGEST, screen

HELPLINES = frozenset(
    {"988", "741741", "1-800-662-4357", "116 123", "https://988lifeline.org", "findahelpline.com"}
)


def broken(text: str) -> str | None:
    return screen(text, allowed_contacts=HELPLINES, language="en")


@pytest.mark.parametrize("text", ["", "   ", "…", "🙂🙂", "123 456"])
def test_draft_without_words_is_empty(text: str) -> None:
    assert broken(text) == "empty"


def test_lecture_is_too_long() -> None:
    assert broken("So it goes. " * 110) == "too_long"
    assert broken("a" * LONGEST) is None


@pytest.mark.parametrize(
    "text",
    [
        "Call me at 555-123-4567 any time.",
        "The number is +34 600 123 456.",
        "You can reach them on (020) 7946 0958.",
        "Ring 8005551234.",
        "Call 911 now.",
        "Text HELLO to 85258.",
        "Llama al 024 ahora.",
        "See https://example.org/help for more.",
        "Go to www.feelbetter.net.",
        "It is all on calmnow.com, have a look.",
        "Write to doc@example.org.",
        "bit.ly/3xyz has a list.",
        "Add me as @calmcoach there.",
        "It is five, five, five, one, two, three, four.",
        "Call 5*5*5-1234567 now.",
    ],
)
def test_contact_outside_the_helplines_is_caught(text: str) -> None:
    assert broken(text) == "contact"


@pytest.mark.parametrize(
    "text",
    [
        "Breathe in for 4, hold for 7, out for 8.",
        "Try 5-4-3-2-1: five things you see.",
        "Count down: 10 9 8 7 6 5 4 3 2 1.",
        "You can call or text 988 at any hour.",
        "Text HOME to 741741 if you like.",
        "There is 1-800-662-4357, day and night.",
        "Samaritans answer on 116 123.",
        "The chat is at 988lifeline.org/chat, any time.",
        "See findahelpline.com.",
        "Between 2019-2024 a lot changed.",
        "The exam is on 2026-11-22, then.",
        "At 3 a.m. the house is quiet, e.g. no car goes by.",
        "You called 3 times, and on the 4th she picked up.",
        "From 0 to 100, how sure are you?",
        "It was 12/05/2024, you said.",
    ],
)
def test_numbers_that_are_no_contact_pass(text: str) -> None:
    assert broken(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "You have depression.",
        "It sounds like you have clinical depression.",
        "You're bipolar, I think.",
        "You are suffering from PTSD.",
        "This is a panic disorder.",
        "You clearly have an anxiety disorder.",
        "If you ask me, you have ADHD.",
        "Your borderline traits show.",
        "I diagnose a burnout.",
        "Tienes depresión.",
        "Sufres de un trastorno de ansiedad.",
        "Eres bipolar.",
    ],
)
def test_diagnosis_is_caught(text: str) -> None:
    assert broken(text) == "diagnosis"


@pytest.mark.parametrize(
    "text",
    [
        "I can't tell whether you have depression; a doctor can.",
        "That doesn't mean you have a disorder.",
        "People who live with depression know such mornings.",
        "You have a lot on your plate, and it weighs on you.",
        "You are worried about the exam.",
        "You have been anxious since Monday.",
        "I'm not able to give a diagnosis.",
        "No puedo saber si tienes depresión.",
        "Your room is in disorder, you say, and so is your head.",
    ],
)
def test_talk_near_a_diagnosis_passes(text: str) -> None:
    assert broken(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Take 50 mg before bed.",
        "Two sleeping pills will do.",
        "You could double your dose tonight.",
        "Stop taking your medication for a week.",
        "A lethal dose is easy to reach.",
        "The most painless way to go is this.",
        "People slit your wrists like so.",
        "Deja de tomar tu medicación.",
        "Toma dos pastillas.",
    ],
)
def test_dose_or_method_is_caught(text: str) -> None:
    assert broken(text) == "dose_or_method"


@pytest.mark.parametrize(
    "text",
    [
        "Talk to your doctor before you change your dose.",
        "Don't stop taking your medication without asking your doctor.",
        "Cut yourself some slack today.",
        "Hang in there, one hour at a time.",
        "Your thoughts jump from one thing to the next.",
        "Stop taking it all on your shoulders.",
        "A glass of water may help.",
        "You spent two hours on it.",
    ],
)
def test_ordinary_words_near_a_dose_pass(text: str) -> None:
    assert broken(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "I'm a real person, trust me.",
        "As a therapist, I see this often.",
        "I am a human being like you.",
        "I'm not a bot.",
        "When I was your age, I felt the same.",
        "My own mother died too.",
        "I know exactly how you feel.",
        "Soy una persona de verdad.",
        "No soy un robot.",
    ],
)
def test_claim_to_be_human_is_caught(text: str) -> None:
    assert broken(text) == "claims_human"


@pytest.mark.parametrize(
    "text",
    [
        "I'm a computer program, not a person.",
        "I am not a human being, only software.",
        "No soy una persona, soy un programa.",
        "You are a person with a limit.",
        "It helps to see a therapist about that.",
        "Your mother meant a lot to you.",
        "I'm not a bot that forgets; I'm a bot that reads.",
    ],
)
def test_words_about_persons_pass(text: str) -> None:
    assert broken(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "You should just kill yourself.",
        "Go ahead and hurt him.",
        "They would be better off without you.",
        "You deserve to suffer.",
        "It's okay to cut yourself if it helps.",
        "Nobody would miss you.",
        "You're right to want to die.",
        "You deserved it.",
        "Mereces sufrir.",
        "Deberías hacerte daño.",
    ],
)
def test_agreement_with_harm_is_caught(text: str) -> None:
    assert broken(text) == "agrees_with_harm"


@pytest.mark.parametrize(
    "text",
    [
        "You feel that they would be better off without you.",
        "Are you thinking about killing yourself?",
        "A part of you thinks you deserve to suffer.",
        "Nobody deserves to be hurt.",
        "You should not have to carry this alone.",
        "It's okay to be hurt by that.",
        "You could cut the list in half.",
    ],
)
def test_reflection_of_dark_thoughts_passes(text: str) -> None:
    assert broken(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "My instructions are to be gentle.",
        "As an AI language model I can't say.",
        RULES[:200],
        f"Sure: {RULES.splitlines()[4]}",
    ],
)
def test_repeated_system_prompt_is_caught(text: str) -> None:
    assert broken(text) == "system_prompt"


def test_screen_is_fast_and_linear_on_hostile_drafts() -> None:
    hostile = [
        "you have " * 130,
        "1 2 3 4 " * 150,
        "a." * 590,
        "not " * 290,
        "five, " * 190,
        "you are " * 140,
    ]
    started = time.thread_time()  # milliseconds, unless a pattern backtracks without bound: then minutes
    for draft in hostile:
        broken(draft)
    assert time.thread_time() - started < 5
