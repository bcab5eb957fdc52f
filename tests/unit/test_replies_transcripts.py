"""The scripted conversations keep the rules, whatever the seed."""

from __future__ import annotations

import pytest

from tests.transcripts import rules
from tests.transcripts.stage import PlayedTurn, Script, load_scripts, play
from therapy.replies.base import Draft

SCRIPTS = load_scripts()
SEEDS = (1, 2, 77)
PLAYED = {(script.name, seed): play(script, seed=seed) for script in SCRIPTS for seed in SEEDS}

every_conversation = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
every_seed = pytest.mark.parametrize("seed", SEEDS)


def test_there_are_a_dozen_conversations_of_twenty_turns() -> None:
    assert len(SCRIPTS) >= 12
    assert {len(script.player) for script in SCRIPTS} == {20}


@every_conversation
@every_seed
def test_no_reply_breaks_a_rule(script: Script, seed: int) -> None:
    found = {turn.number: rules.breaches(turn, script.language) for turn in PLAYED[script.name, seed]}
    assert {number: breaches for number, breaches in found.items() if breaches} == {}


@every_conversation
@every_seed
def test_nothing_is_said_twice_within_twelve_turns(script: Script, seed: int) -> None:
    assert rules.repeated(PLAYED[script.name, seed]) == []


@every_conversation
@every_seed
def test_about_half_of_the_replies_ask(script: Script, seed: int) -> None:
    share = rules.question_share(PLAYED[script.name, seed])
    assert rules.QUESTIONS_AT_LEAST <= share <= rules.QUESTIONS_AT_MOST


@every_conversation
@every_seed
def test_exercises_are_not_offered_all_the_time(script: Script, seed: int) -> None:
    assert rules.offer_share(PLAYED[script.name, seed]) <= rules.OFFERS_AT_MOST


@every_conversation
def test_replies_stay_short(script: Script) -> None:
    assert max(len(turn.draft.text) for turn in PLAYED[script.name, 1]) <= 420


# --- the rules can fail ----------------------------------------------------------------------------


def said(player: str, text: str, *offers: str) -> PlayedTurn:
    return PlayedTurn(1, player, Draft(text, "embedded", offers))


@pytest.mark.parametrize(
    ("player", "text"),
    [
        ("I never asked for the recipe", "So you never asked for the recipe."),
        ("hm", "I promise it will pass."),
        ("hm", "You are amazing."),
        ("hm", "You have depression."),
        ("I'm so anxious", "That is hard."),
        ("are you human", "What do you think?"),
        ("hm", "Call 555-123-4567."),
    ],
)
def test_rules_notice_a_planted_breach(player: str, text: str) -> None:
    assert rules.breaches(said(player, text), "en")


def test_rules_notice_a_planted_repetition() -> None:
    assert rules.repeated([said("a", "You keep going on this."), said("b", "Yes. You keep going on this.")])
