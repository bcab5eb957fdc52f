"""The model's file and its one pass, and a training that gives the same bytes every time."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from therapy.crisis import training
from therapy.crisis.assessment import Level
from therapy.crisis.examples import Example
from therapy.crisis.features import Reading, candidates, concept_text, readable, reading
from therapy.crisis.model import IDF_UNIT, KINDS_SHARE, LONG, SHORT, Column, Model, load, norm, save

FEATURES = [" calm ", " sad ", "adn"]


def column(*weights: int, rules: dict[str, int] | None = None) -> Column:
    return Column(scale=0.5, bias=-1.0, features=array("b", weights), rules=rules or {})


def read(text: str, *pairs: str) -> Reading:
    return Reading(text, list(pairs))


def small_model() -> Model:
    columns = {
        "crisis": column(-100, 127, 3, rules={"rule": 10}),
        "low": column(0, 1, 0),
        "abuse": column(0, 7, 0),
        "-game": column(5, 0, 0),
    }
    return Model(
        FEATURES, bytes([16, 32, 48]), columns, {"short": 0.4, "danger": 0.25, "long": 0.1, "low": 0.5}
    )


def test_one_pass_adds_up_every_question() -> None:
    scores = small_model().scores(read("  sad  sadness  calm  sad "), ["rule"])
    length = norm(2 * 32**2 + 48**2 + 16**2)
    assert scores.columns["crisis"] == pytest.approx(0.5 * (2 * 127 + 3 - 100) / length - 1.0 + 0.5 * 10)
    assert scores.columns["abuse"] == pytest.approx(0.5 * 14 / length - 1.0)


def test_danger_weighs_kind_of_crisis_against_kind_of_calm() -> None:
    scores = small_model().scores(read(" sad ".ljust(SHORT + 1)), [])
    kinds = scores.columns["abuse"] - scores.columns["-game"]
    assert scores.danger == pytest.approx(scores.columns["crisis"] + KINDS_SHARE * kinds - 0.25)


def test_short_and_long_texts_have_thresholds_of_their_own() -> None:
    short, middle, long = (small_model().scores(read("x" * n), []).danger for n in (SHORT, LONG, LONG + 1))
    assert middle - short == pytest.approx(0.4 - 0.25)
    assert long - middle == pytest.approx(0.25 - 0.1)


def test_text_without_features_scores_the_constants() -> None:
    assert small_model().scores(read("xyz"), []).columns["crisis"] == -1.0


def test_long_text_overflows_no_sum() -> None:
    scores = small_model().scores(read(" sad " * 20_000), [])
    assert scores.columns["crisis"] == pytest.approx(0.5 * 127 * 20_000 / norm(20_000 * 32**2) - 1.0)


def test_heaviest_features_come_first() -> None:
    assert [name for name, _ in small_model().heaviest(read("  sad  sadness  calm "), 3)] == [" sad ", "adn"]


def test_saved_model_loads_the_same(tmp_path: Path) -> None:
    save(small_model(), tmp_path / "m.bin")
    loaded = load(tmp_path / "m.bin")
    assert loaded.scores(read(" sad  calm "), ["rule"]) == small_model().scores(read(" sad  calm "), ["rule"])


def test_norm_of_nothing_is_one() -> None:
    assert norm(0) == 1.0
    assert norm(IDF_UNIT**2) == 1.0


def examples() -> list[Example]:
    crises = [f"i want to die {word}" for word in ("now", "today", "soon", "alone", "here", "really")]
    calm = [f"i want to eat {word}" for word in ("now", "today", "soon", "alone", "here", "really")]
    return [
        Example(text, level, types, category, "en", held_out=False)
        for a, b in zip(crises, calm, strict=True)
        for text, level, types, category in (
            (a, Level.HIGH, ("suicidal_ideation",), "explicit_si"),
            (b, Level.NONE, (), "smalltalk"),
        )
    ]


def test_training_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(training.train(examples()), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_training_learns_what_tells_crisis_from_calm() -> None:
    model = training.train(examples())
    assert (
        model.scores(reading(" i want to die "), []).danger
        > model.scores(reading(" i want to eat "), []).danger
    )


def test_training_never_reads_what_is_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Example] = []
    held = [Example("kept back", Level.NONE, (), "smalltalk", "en", held_out=True)]
    monkeypatch.setattr(training, "read_examples", lambda: examples() + held)
    monkeypatch.setattr(training, "train", lambda given: seen.extend(given) or Model([], b"", {}, {}))
    monkeypatch.setattr(training, "save", lambda *_: None)
    training.main()
    assert seen == examples()


def test_family_stands_for_its_words() -> None:
    assert concept_text(" i took pills ") == concept_text(" i took tablets ")


def test_family_is_named_in_reasons() -> None:
    assert readable(f" {concept_text(' pills ')} ") == "meds"


def test_candidates_hold_phrases_and_parts_of_words() -> None:
    found = candidates(" want die ")
    assert {" want ", " die ", " want die ", " wan", "die "} <= found


def test_pair_speaks_past_the_words_between() -> None:
    model = Model(["~want~die"], bytes([16]), {
        "crisis": column(127), "low": column(0), "abuse": column(0), "-game": column(0),
    }, {"short": 0.0, "danger": 0.0, "long": 0.0, "low": 0.0})  # fmt: skip
    apart, far = reading(" i want to just die "), reading(" i want a b c d e die ")
    assert model.scores(apart, []).columns["crisis"] > 0 > model.scores(far, []).columns["crisis"]
    assert [readable(name) for name, _ in model.heaviest(apart, 3)] == ["want ... die"]


def test_pair_is_not_found_as_a_substring() -> None:
    model = Model(["~want~die"], bytes([16]), {"crisis": column(127), "low": column(0), "abuse": column(0),
        "-game": column(0)}, {"short": 0.0, "danger": 0.0, "long": 0.0, "low": 0.0})  # fmt: skip
    assert model.scores(read(" ~want~die "), []).columns["crisis"] == -1.0


def test_sharing_out_changes_no_bit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    save(training.train(examples()), tmp_path / "alone")
    monkeypatch.setattr(training, "FEW", 0)
    save(training.train(examples()), tmp_path / "shared")
    assert (tmp_path / "alone").read_bytes() == (tmp_path / "shared").read_bytes()
