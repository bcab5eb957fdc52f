"""However it is typed, it reads the same."""

from __future__ import annotations

import pytest

from therapy.crisis.normalization import normalize


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("I’m", "i am"),
        ("im", "i am"),
        ("can't", "can not"),
        ("cant", "can not"),
        ("wanna", "want to"),
        ("soooo", "so"),
        ("dieeee", "die"),
        ("su1c1de", "suicide"),
        ("k!ll", "kill"),
        ("su*cide", "suicide"),
        ("myslef", "myself"),
        ("suicdal", "suicidal"),
        ("unalive", "unalive"),
        ("s.u.i.c.i.d.e", "suicide"),
        ("k i l l", "kill"),
        ("kms", "kill myself"),
        ("estarían", "estarian"),
        ("𝒹𝒾𝑒", "die"),
        ("dіе", "die"),
        ("mom's", "mom"),
        ("3", "#"),
        ("!!!", "!"),
        ("hm…", "hm ."),
        ("💊", "pills"),
    ],
)
def test_spelling_is_made_plain(typed: str, read: str) -> None:
    assert normalize(typed).text == f" {read} "


@pytest.mark.parametrize("text", ["a b c", "u r a star", "plan b or c"])
def test_single_letters_that_spell_nothing_stay(text: str) -> None:
    assert len(normalize(text).text.split()) >= len(text.split())


def test_span_covers_the_words_as_typed() -> None:
    text = "Oh, I’m gonna   k.m.s. tonight"
    plain = normalize(text)
    start = plain.text.index("kill myself")
    assert text[slice(*plain.span(start, start + len("kill myself")))] == "k.m.s"


def test_span_of_nothing_is_empty() -> None:
    assert normalize("hello").span(100, 200) == (0, 0)
