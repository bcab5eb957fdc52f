"""Do recommendations find what helps a player? A simulation: `python -m benchmarks.recommendations`.

Players whom each exercise helps to a degree of its own do what is recommended first, turn after turn; they rate,
rate their mood, or stop early, noisily. Regret is how much less an exercise helped than the player's best one
would have. Chance picks any exercise that fits; "best" always knows. Nothing here is data of people.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from therapy.exercises.catalogue import CATALOGUE  # noqa: E402
from therapy.personalization import Experience, PersonalizationServiceManager  # noqa: E402
from therapy.sessions import PlayerState  # noqa: E402

PLAYERS, TURNS = 200, 100
PERIODS = ((0, 10), (10, 25), (25, 50), (50, 100))
#: When tastes change, they do so here.
CHANGE_AT = TURNS // 2
MEDIUM = [e for e in CATALOGUE.values() if e.intensity != "high" and e.slug != "safety_plan"]

_manager = PersonalizationServiceManager()


@dataclass
class Player:
    """`helps`: by exercise, the share of the times in which it does this player good."""

    number: int
    seed: int
    state: PlayerState = field(init=False)
    helps: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        self.draw = random.Random(f"player {self.seed} {self.number}")
        self.state = PlayerState(self.number)
        themes = sorted(
            {theme for exercise in MEDIUM for theme in exercise.helps_with} - {"suicidal_thoughts"}
        )
        self.concerns = self.draw.sample(themes, 3)
        self.helps = self._tastes()

    def _tastes(self) -> dict[str, float]:
        """Mostly chance, a little what the exercise is meant for."""
        tastes = {}
        for exercise in MEDIUM:
            is_meant = bool(set(self.concerns) & set(exercise.helps_with))
            tastes[exercise.slug] = min(0.95, self.draw.betavariate(2, 3) + 0.1 * is_meant)
        return tastes

    def change(self) -> None:
        self.helps = self._tastes()

    def themes(self) -> tuple[str, ...]:
        return (self.draw.choice(self.concerns),) if self.draw.random() < 0.7 else ()

    def do(self, slug: str) -> None:
        """Half the people rate, half note their mood; a third of those whom it doesn't help stop."""
        known = self.state.experiences.get(slug, Experience())
        felt = self.helps[slug] + self.draw.gauss(0, 0.2)
        if self.draw.random() < 0.35 * (1 - felt):
            known = known.stopped()
        else:
            before = self.draw.randint(2, 5)
            after = max(0, min(10, before + round(6 * (felt - 0.3) + self.draw.gauss(0, 1))))
            known = known.completed()
            known = known.moved(before, after) if self.draw.random() < 0.5 else known
        if self.draw.random() < 0.5:
            known = known.rated(max(1, min(5, 1 + round(4 * felt))))
        self.state.experiences[slug] = known
        self.state.head += 2


Choice = Callable[[Player], tuple[str, ...]]


def by_recommendation(player: Player) -> tuple[str, ...]:
    found = _manager.recommendations(player.state, player.themes())
    return tuple(recommendation.id.removeprefix("ex_") for recommendation in found)


def by_chance(player: Player) -> tuple[str, ...]:
    return tuple(player.draw.sample(sorted(player.helps), 3))


def by_knowing(player: Player) -> tuple[str, ...]:
    return tuple(sorted(player.helps, key=lambda slug: -player.helps[slug])[:3])


@dataclass
class Outcome:
    """Means over all players, by turn; `tried` is how many different exercises came first in the last 25 turns."""

    regret: list[float]
    is_best: list[float]
    is_best_shown: list[float]
    tried: float


def simulate(
    choose: Choice, *, players: int = PLAYERS, turns: int = TURNS, seed: int = 0, is_changing: bool = False
) -> Outcome:
    regret: list[list[float]] = [[] for _ in range(turns)]
    best: list[list[bool]] = [[] for _ in range(turns)]
    shown: list[list[bool]] = [[] for _ in range(turns)]
    tried = []
    for number in range(players):
        player, firsts = Player(number, seed), []
        for turn in range(turns):
            if is_changing and turn == CHANGE_AT:
                player.change()
            chosen = choose(player)
            top = max(player.helps, key=player.helps.__getitem__)
            regret[turn].append(player.helps[top] - player.helps[chosen[0]])
            best[turn].append(chosen[0] == top)
            shown[turn].append(top in chosen)
            firsts.append(chosen[0])
            player.do(chosen[0])
        tried.append(len(set(firsts[-25:])))
    return Outcome(*([fmean(turn) for turn in of] for of in (regret, best, shown)), fmean(tried))


def _line(name: str, values: list[float]) -> str:
    cells = (f"{fmean(values[start:end]):>9.3f}" for start, end in PERIODS)
    return f"{name:<28}{''.join(cells)}{sum(values):>10.1f}"


def main() -> None:
    heading = "".join(f"{f'{start + 1}-{end}':>9}" for start, end in PERIODS)
    for title, is_changing in (
        ("Tastes that stay", False),
        (f"Tastes that change at turn {CHANGE_AT}", True),
    ):
        print(f"{title}: {PLAYERS} players, {TURNS} turns, {len(MEDIUM)} exercises")
        print(f"{'regret per turn':<28}{heading}{'in all':>10}")
        outcomes = {
            name: simulate(choose, is_changing=is_changing)
            for name, choose in (
                ("recommended", by_recommendation),
                ("chance", by_chance),
                ("best", by_knowing),
            )
        }
        for name, outcome in outcomes.items():
            print(_line(f"  {name}", outcome.regret))
        print("share of turns in which the best exercise comes")
        for name in ("recommended", "chance"):
            print(_line(f"  first, {name}", outcomes[name].is_best)[:64])
            print(_line(f"  among three, {name}", outcomes[name].is_best_shown)[:64])
        tried = outcomes["recommended"].tried
        print(f"different exercises recommended first in the last 25 turns: {tried:.1f}\n")


if __name__ == "__main__":
    main()
