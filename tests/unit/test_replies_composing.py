"""How sentences are drawn: nothing twice, no echo, no question where none is wanted, slots filled."""

from __future__ import annotations

import pytest

from therapy.replies.composing import Composer
from therapy.replies.lexicon import Line
from therapy.replies.loading import _line


def pool(*texts: str) -> tuple[Line, ...]:
    return tuple(_line(text) for text in texts)


def composer(*, said: tuple[str, ...] = (), words: str = "", draw: int = 1, **slots: str) -> Composer:
    return Composer(said=set(said), words=f" {words} ", draw=draw, slots=slots)


@pytest.mark.parametrize("draw", range(20))
def test_sentence_that_was_said_is_not_drawn(draw: int) -> None:
    made = composer(said=("One of those days, then.",), draw=draw)
    made.say(pool("One of those days, then.", "So the day has left its marks."))
    assert made.text() == "So the day has left its marks."


@pytest.mark.parametrize("draw", range(20))
def test_sentence_with_five_words_of_the_players_is_not_drawn(draw: int) -> None:
    made = composer(words="somehow the day has left its marks on me", draw=draw)
    made.say(pool("So the day has left its marks.", "One of those days, then."))
    assert made.text() == "One of those days, then."


def test_four_words_in_common_are_no_echo() -> None:
    made = composer(words="the day has left me")
    assert made.say(pool("So the day has left its marks."))


def test_same_sentence_is_not_drawn_twice_in_one_reply() -> None:
    made = composer()
    assert made.say(pool("It is something."))
    assert not made.say(pool("It is something."))


def test_sentence_waits_for_its_slot() -> None:
    made = composer()
    assert not made.say(pool("So {person} is part of this."))
    made.fill(person="your sister")
    assert made.say(pool("So {person} is part of this."))
    assert made.text() == "So your sister is part of this."


def test_slot_at_the_beginning_gets_a_capital() -> None:
    made = composer(world="the harbor")
    made.say(pool("{world} lies still around us."))
    assert made.text() == "The harbor lies still around us."


def test_spanish_articles_contract() -> None:
    made = composer(earlier="el trabajo")
    made.say(pool("Antes hablaste de {earlier}."))
    assert made.text() == "Antes hablaste del trabajo."


def test_next_pool_is_used_when_the_first_has_nothing_left() -> None:
    made = composer(said=("It is something.",))
    assert made.say(pool("It is something."), pool("Small, and it counts."))


def test_unwelcome_questions_are_passed_over() -> None:
    made = composer()
    made.may_ask = False
    made.say(pool("What is it?", "It is something."))
    assert made.text() == "It is something."


def test_oldest_sentence_returns_when_all_are_used() -> None:
    made = composer()
    made.say_oldest(
        pool("It is something.", "Small, and it counts."), ["It is something.", "Small, and it counts."]
    )
    assert made.text() == "It is something."


def test_offer_of_a_step_comes_with_its_sentence() -> None:
    made = composer()
    made.say((_line("There is an exercise below.", "grounding"),))
    assert made.offers == ("grounding",)
