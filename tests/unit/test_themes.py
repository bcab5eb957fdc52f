from __future__ import annotations

from typing import get_args

import pytest

from therapy.exercises.catalogue import CATALOGUE, Theme
from therapy.replies.base import ReplyRequest
from therapy.replies.embedded import LANGUAGES, EmbeddedEngine
from therapy.themes import THEMES_OF, themes_of

ENGINE = EmbeddedEngine()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_topic_and_feeling_that_can_be_heard_has_its_themes(language):
    entries = ENGINE._lexicons[language].entries.values()
    heard = {entry.name for entry in entries if entry.kind in ("topic", "feeling")}
    assert heard - THEMES_OF.keys() == set()


def test_nothing_stands_for_what_can_not_be_heard():
    names = {name for language in LANGUAGES for name in ENGINE._lexicons[language].entries}
    assert THEMES_OF.keys() - names == set()


def test_themes_are_the_catalogues_and_an_exercise_is_meant_for_each():
    themes = {theme for themes in THEMES_OF.values() for theme in themes}
    assert themes <= set(get_args(Theme))
    assert themes <= {theme for exercise in CATALOGUE.values() for theme in exercise.helps_with}


@pytest.mark.parametrize(
    ("text", "theme"),
    [
        ("I had a panic attack in the tram", "panic"),
        ("I lost my job and don't know how to pay the rent", "practical_problems"),
        ("My grandmother died in spring", "grief"),
        ("I'm so angry at him", "anger"),
        ("I can't sleep at night", "sleep"),
    ],
)
def test_words_lead_to_the_themes_they_are_about(text, theme):
    assert theme in themes_of(ENGINE.reply(ReplyRequest(text)).themes)


def test_engine_may_name_themes_itself():
    assert themes_of(["urges", "the weather", "addiction", "sad"]) == ("urges", "low_mood")
