"""What fits this player: noticing danger, taking feedback in, and recommending exercises from experience."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from math import log, sqrt
from operator import itemgetter
from statistics import NormalDist
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zlib import crc32

from therapy import elements
from therapy.crisis.assessment import Assessment, Heard
from therapy.crisis.detector import assess
from therapy.exercises.catalogue import CATALOGUE, Exercise
from therapy.messages import FeedbackContent, Language, Recommendation, new_id
from therapy.models import ExerciseRun, Feedback

if TYPE_CHECKING:
    from therapy.sessions import PlayerState

RECOMMENDED = 3
_INTENSITY = {"low": 0, "medium": 1, "high": 2}


@dataclass(frozen=True, slots=True)
class Experience:
    """What a player made of an exercise: its Beta distribution's counts, and what to say of them."""

    helped: float = 0.0
    did_not_help: float = 0.0
    completions: int = 0
    last_rating: int | None = None

    def rated(self, rating: int) -> Experience:
        """A rating of 1 to 5 counts as so much of a success: 5 wholly, 3 half, 1 not at all."""
        share = (rating - 1) / 4
        return replace(
            self,
            helped=self.helped + 2 * share,
            did_not_help=self.did_not_help + 2 * (1 - share),
            last_rating=rating,
        )

    def completed(self) -> Experience:
        return replace(self, helped=self.helped + 0.5, completions=self.completions + 1)

    def stopped(self) -> Experience:
        return replace(self, did_not_help=self.did_not_help + 0.5)


_NO_EXPERIENCE = Experience()


@dataclass(frozen=True, slots=True)
class SaveFeedback:
    id: UUID
    player_id: Any
    session_id: UUID
    exercise: str
    rating: int | None
    text: str | None
    at: datetime

    def apply(self) -> None:
        Feedback.objects.create(
            id=self.id,
            player_id=self.player_id,
            session_id=self.session_id,
            exercise=self.exercise,
            rating=self.rating,
            text=self.text,
            created_at=self.at,
        )

    def settle(self, state: PlayerState) -> None:
        if self.exercise and self.rating is not None:
            before = state.experiences.get(self.exercise, Experience())
            state.experiences[self.exercise] = before.rated(self.rating)


@dataclass(frozen=True, slots=True)
class NoteExperience:
    """A completed or stopped run changes what is recommended; the run itself is its row."""

    exercise: str
    is_completed: bool

    def apply(self) -> None:
        """The run's row holds it."""

    def settle(self, state: PlayerState) -> None:
        before = state.experiences.get(self.exercise, Experience())
        state.experiences[self.exercise] = before.completed() if self.is_completed else before.stopped()


def load_experiences(player_id: Any) -> dict[str, Experience]:
    """The newest 200 runs and the newest 200 ratings of a player, in the order in which they came."""
    found: dict[str, Experience] = defaultdict(Experience)
    runs = ExerciseRun.objects.filter(player_id=player_id).exclude(outcome="").order_by("-started_at")
    for exercise, outcome in reversed(runs.values_list("exercise", "outcome")[:200]):
        if outcome == ExerciseRun.Outcome.COMPLETED:
            found[exercise] = found[exercise].completed()
        elif outcome == ExerciseRun.Outcome.STOPPED:
            found[exercise] = found[exercise].stopped()
    ratings = Feedback.objects.filter(player_id=player_id, rating__isnull=False).exclude(exercise="")
    for exercise, rating in reversed(ratings.order_by("-created_at").values_list("exercise", "rating")[:200]):
        found[exercise] = found[exercise].rated(rating or 0)
    return dict(found)


def load_latest_exercise(player_id: Any) -> str:
    """Slug of the exercise that was started, completed or stopped last; '' if there was none."""
    runs = ExerciseRun.objects.filter(player_id=player_id).order_by("-started_at")
    latest = max(runs[:20], key=lambda run: run.ended_at or run.started_at, default=None)
    return latest.exercise if latest else ""


class PersonalizationServiceManager:
    """Decides what fits; writes nothing itself."""

    def detect_crisis_situation(self, text: str, heard: Sequence[Heard] = ()) -> Assessment:
        """The assessment of one message in the light of what was heard before. Needs nothing but the process."""
        return assess(text, heard)

    def process_feedback(
        self, state: PlayerState, session_id: UUID, content: FeedbackContent, at: datetime
    ) -> SaveFeedback:
        """What a rating or a text changes. Without `about` it is about the exercise completed or shown last."""
        action = elements.parse_element_id(content.about) if content.about else None
        exercise = action.slug if action else state.latest_exercise
        return SaveFeedback(new_id(), state.player_id, session_id, exercise, content.rating, content.text, at)

    def helped_before(self, state: PlayerState) -> tuple[str, ...]:
        """Slugs of exercises that did this player more good than not, the best first."""
        gain = {slug: e.helped - e.did_not_help for slug, e in state.experiences.items()}
        return tuple(sorted((slug for slug in gain if gain[slug] > 0), key=lambda slug: -gain[slug]))

    def recommendations(
        self, state: PlayerState, themes: Iterable[str] = (), count: int = RECOMMENDED
    ) -> list[Recommendation]:
        """The exercises that most likely help, by Thompson sampling over this player's experience.

        Each exercise is a Beta distribution whose prior speaks for what the words are about and for the
        approaches the player prefers; a draw from each ranks them, so that what helped comes up most and what is
        little tried still comes up. Draws are seeded by the player and the log's head: the same state recommends
        the same.
        """
        themes, approaches = frozenset(themes), frozenset(state.settings.approaches)
        random_share = random.Random(crc32(f"{state.player_id}:{state.head}".encode())).random
        draws = []
        for exercise in _fitting(state.settings.intensity):
            experience = state.experiences.get(exercise.slug, _NO_EXPERIENCE)
            fits_theme = not themes.isdisjoint(exercise.helps_with)
            fits_approach = not approaches.isdisjoint(exercise.approaches)
            prior = 1.0 + 1.5 * fits_theme + 0.5 * fits_approach
            odds = _log_odds(prior + experience.helped, 1.5 + experience.did_not_help)
            reason = _reason(experience, fits_theme, fits_approach)
            draws.append((_draw(odds, random_share()), exercise.slug, reason))
        draws.sort(key=itemgetter(0), reverse=True)
        language = state.settings.language
        return [_recommendation(slug, *reason, language) for _, slug, reason in draws[:count]]


@lru_cache(maxsize=len(_INTENSITY))
def _fitting(intensity: str) -> tuple[Exercise, ...]:
    return tuple(exercise for exercise in CATALOGUE.values() if _fits(exercise, intensity))


def _fits(exercise: Exercise, intensity: str) -> bool:
    return _INTENSITY[exercise.intensity] <= _INTENSITY[intensity] and exercise.slug != "safety_plan"


@lru_cache(maxsize=4096)
def _log_odds(helped: float, did_not_help: float) -> NormalDist:
    """Beta(helped, did_not_help) in log-odds, where it is nearly normal; both counts are at least 1.

    Mean and variance are the Beta's own (digamma and trigamma, to a hundredth). Drawing from it takes a tenth of
    what `random.betavariate` takes, and every reply draws for every exercise.
    """
    mean = _digamma(helped) - _digamma(did_not_help)
    return NormalDist(mean, sqrt(_trigamma(helped) + _trigamma(did_not_help)))


def _digamma(x: float) -> float:
    return log(x + 0.5) - 1 / x


def _trigamma(x: float) -> float:
    return 1 / (x + 0.5) + 1 / x**2


def _draw(odds: NormalDist, share: float) -> float:
    return odds.inv_cdf(share or 0.5)  # 0 is no share of a normal distribution


_REASONS = {
    "en": {
        "rated": "You rated it {rating} of 5.",
        "completed": "You have completed it before.",
        "theme": "It fits what you are writing about.",
        "approach": "It fits the approaches you prefer.",
        "new": "Something you have not tried yet.",
    },
    "es": {
        "rated": "La valoraste con {rating} de 5.",
        "completed": "Ya la has hecho antes.",
        "theme": "Encaja con lo que cuentas.",
        "approach": "Encaja con los enfoques que prefieres.",
        "new": "Algo que todavía no has probado.",
    },
}


def _reason(experience: Experience, fits_theme: bool, fits_approach: bool) -> tuple[str, int]:
    """Which reason is given, and the rating it speaks of."""
    if experience.last_rating is not None:
        return "rated", experience.last_rating
    if experience.completions:
        return "completed", 0
    if fits_theme:
        return "theme", 0
    return ("approach" if fits_approach else "new"), 0


@lru_cache(maxsize=1024)
def _recommendation(slug: str, reason: str, rating: int, language: Language) -> Recommendation:
    return Recommendation(
        id=f"ex_{slug}",
        label=CATALOGUE[slug].title.get(language),
        reason=_REASONS[language][reason].format(rating=rating),
    )
