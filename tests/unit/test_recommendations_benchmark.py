"""The simulation behind the weights, small: what `python -m benchmarks.recommendations` prints, holds."""

from __future__ import annotations

from statistics import fmean

import pytest

from benchmarks.recommendations import Outcome, by_chance, by_knowing, by_recommendation, simulate


@pytest.fixture(scope="module")
def recommended() -> Outcome:
    return simulate(by_recommendation, players=40, turns=60, seed=7)


@pytest.fixture(scope="module")
def chance() -> Outcome:
    return simulate(by_chance, players=40, turns=60, seed=7)


def test_recommendations_find_what_helps_faster_than_chance(recommended, chance):
    assert sum(recommended.regret) < 0.65 * sum(chance.regret)
    assert fmean(recommended.is_best[30:]) > 3 * fmean(chance.is_best[30:])


def test_regret_falls_turn_by_turn(recommended):
    early, middle, late = (fmean(recommended.regret[n : n + 20]) for n in (0, 20, 40))
    assert early > 1.2 * middle > 1.2**2 * late


def test_recommendations_go_on_trying_others(recommended):
    assert recommended.tried > 2.5


def test_whoever_knows_the_best_regrets_nothing():
    assert sum(simulate(by_knowing, players=3, turns=5).regret) == 0


def test_same_seed_gives_the_same_figures():
    runs = [simulate(by_recommendation, players=3, turns=10, seed=1).regret for _ in range(2)]
    assert runs[0] == runs[1]
