"""What fits this player: noticing danger, taking feedback in, and recommending exercises from experience."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache, partial
from hashlib import shake_128
from math import log, sqrt
from operator import itemgetter
from statistics import NormalDist
from struct import unpack
from typing import TYPE_CHECKING, Any
from uuid import UUID

from therapy import elements
from therapy.crisis.assessment import Assessment, Heard
from therapy.crisis.detector import assess
from therapy.exercises.catalogue import CATALOGUE, Exercise
from therapy.messages import FeedbackContent, Language, Recommendation, new_id
from therapy.models import ExerciseRun, Feedback
from therapy.runs import SAFETY_PLAN
from therapy.suitability import Limits, is_open, known_of, suitable

if TYPE_CHECKING:
    from therapy.sessions import PlayerState

RECOMMENDED = 3
_INTENSITY = {"low": 0, "medium": 1, "high": 2}

# Tuned by `python -m benchmarks.recommendations`, which prints what each is good for.
RATING_WEIGHT, MOOD_WEIGHT, COMPLETED_WEIGHT, STOPPED_WEIGHT = 6.0, 4.0, 0.5, 2.0
#: Points of mood that count as a whole success, or (downwards) as none at all.
MOOD_POINTS = 4
#: What speaks for an exercise before it was tried: against it, for it, its theme, the approach.
PRIOR_AGAINST, PRIOR_FOR, PRIOR_THEME, PRIOR_APPROACH = 1.5, 1.0, 1.5, 0.5
#: What is left of older experience for each unit of new: people change, and what is little tried comes up again.
FADING = 0.98


@dataclass(frozen=True, slots=True)
class Experience:
    """What a player made of an exercise: its Beta distribution's counts, and what to say of them."""

    helped: float = 0.0
    did_not_help: float = 0.0
    completions: int = 0
    last_rating: int | None = None
    last_moods: tuple[int, int] | None = None

    def rated(self, rating: int) -> Experience:
        """A rating of 1 to 5 counts as so much of a success: 5 wholly, 3 half, 1 not at all."""
        return replace(self._counted(RATING_WEIGHT, (rating - 1) / 4), last_rating=rating)

    def completed(self) -> Experience:
        return replace(self._counted(COMPLETED_WEIGHT, 1), completions=self.completions + 1)

    def stopped(self) -> Experience:
        return self._counted(STOPPED_WEIGHT, 0)

    def moved(self, before: int | None, after: int | None) -> Experience:
        """Mood that rose counts for it, mood that fell against it; nothing where one of the two is missing."""
        if before is None or after is None:
            return self
        share = 0.5 + max(-MOOD_POINTS, min(MOOD_POINTS, after - before)) / (2 * MOOD_POINTS)
        return replace(self._counted(MOOD_WEIGHT, share), last_moods=(before, after))

    def _counted(self, weight: float, share: float) -> Experience:
        kept = FADING**weight
        helped, did_not_help = weight * share, weight * (1 - share)
        return replace(
            self, helped=kept * self.helped + helped, did_not_help=kept * self.did_not_help + did_not_help
        )


Lesson = Callable[[Experience], Experience]


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
    """What a run taught about its exercise changes what is recommended; the run itself is its row."""

    exercise: str
    taught: Lesson

    @classmethod
    def completed(cls, exercise: str, before: int | None, after: int | None) -> NoteExperience:
        return cls(exercise, lambda known: known.completed().moved(before, after))

    @classmethod
    def stopped(cls, exercise: str) -> NoteExperience:
        return cls(exercise, Experience.stopped)

    @classmethod
    def moved(cls, exercise: str, before: int | None, after: int | None) -> NoteExperience:
        return cls(exercise, lambda known: known.moved(before, after))

    def apply(self) -> None:
        """The run's row holds it."""

    def settle(self, state: PlayerState) -> None:
        state.experiences[self.exercise] = self.taught(state.experiences.get(self.exercise, Experience()))


def load_experiences(player_id: Any) -> dict[str, Experience]:
    """From the newest 200 runs and the newest 200 ratings of a player, in the order in which they came."""
    found: dict[str, Experience] = defaultdict(Experience)
    for _, exercise, taught in sorted([*_of_runs(player_id), *_of_ratings(player_id)], key=itemgetter(0)):
        found[exercise] = taught(found[exercise])
    return dict(found)


def _of_runs(player_id: Any) -> Iterator[tuple[datetime, str, Lesson]]:
    completed, stopped = ExerciseRun.Outcome.COMPLETED, ExerciseRun.Outcome.STOPPED
    runs = ExerciseRun.objects.filter(player_id=player_id, outcome__in=[completed, stopped])
    told = runs.order_by("-started_at").values_list(
        "ended_at", "exercise", "outcome", "mood_before", "mood_after"
    )
    for at, exercise, outcome, before, after in told[:200]:
        assert at is not None  # it has an outcome
        is_completed = outcome == completed
        note = NoteExperience.completed(exercise, before, after) if is_completed else None
        yield at, exercise, note.taught if note else Experience.stopped


def _of_ratings(player_id: Any) -> Iterator[tuple[datetime, str, Lesson]]:
    ratings = Feedback.objects.filter(player_id=player_id, rating__isnull=False).exclude(exercise="")
    told = ratings.order_by("-created_at").values_list("created_at", "exercise", "rating")
    for at, exercise, rating in told[:200]:
        yield at, exercise, partial(Experience.rated, rating=rating or 0)


def load_latest_exercise(player_id: Any) -> str:
    """Slug of the exercise that was started, completed or stopped last; '' if there was none."""
    runs = ExerciseRun.objects.filter(player_id=player_id).order_by("-started_at").defer("walk")
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
        """Slugs of exercises that did this player more good than not and still suit them, the best first."""
        gain = {slug: e.helped - e.did_not_help for slug, e in state.experiences.items()}
        helped = sorted((slug for slug in gain if gain[slug] > 0), key=lambda slug: -gain[slug])
        return suitable(helped, state)

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
        fitting = _fitting(
            state.settings.intensity, state.limits, known_of(state), "suicidal_thoughts" in themes
        )
        draws = []
        for exercise, share in zip(fitting, _shares(state, len(fitting)), strict=True):
            experience = state.experiences.get(exercise.slug, _NO_EXPERIENCE)
            fits_theme = not themes.isdisjoint(exercise.helps_with)
            fits_approach = not approaches.isdisjoint(exercise.approaches)
            prior = PRIOR_FOR + PRIOR_THEME * fits_theme + PRIOR_APPROACH * fits_approach
            odds = _log_odds(prior + experience.helped, PRIOR_AGAINST + experience.did_not_help)
            reason = _reason(experience, fits_theme, fits_approach)
            draws.append((odds.inv_cdf(share), exercise.slug, reason))
        draws.sort(key=itemgetter(0), reverse=True)
        language = state.settings.language
        return [_recommendation(slug, *reason, language) for _, slug, reason in draws[:count]]


@lru_cache(maxsize=1024)
def _fitting(
    intensity: str, limits: Limits, known: frozenset[str], is_plan_meant: bool
) -> tuple[Exercise, ...]:
    return tuple(
        exercise
        for exercise in CATALOGUE.values()
        if _INTENSITY[exercise.intensity] <= _INTENSITY[intensity]
        and is_open(exercise, limits, known)
        and (is_plan_meant or exercise.slug != SAFETY_PLAN)
    )


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


def _shares(state: PlayerState, count: int) -> list[float]:
    """Evenly distributed between 0 and 1, without either; a generator would take longer to seed than to use."""
    seed = f"{state.player_id}:{state.head}".encode()
    numbers = unpack(f"<{count}I", shake_128(seed).digest(4 * count))
    return [(number + 0.5) / 2**32 for number in numbers]


_REASONS = {
    "en": {
        "rated": "You rated {name} {0} of 5.",
        "mood": "Your mood went from {0} to {1} with it.",
        "completed": "You have completed it before.",
        "theme": "It fits what you are writing about.",
        "approach": "It fits the approaches you prefer.",
        "new": "Something you have not tried yet.",
        "known": "You know it already.",
    },
    "es": {
        "rated": "Valoraste {name} con {0} de 5.",
        "mood": "Con ello, tu ánimo pasó de {0} a {1}.",
        "completed": "Es algo que ya has hecho antes.",
        "theme": "Encaja con lo que cuentas.",
        "approach": "Encaja con los enfoques que prefieres.",
        "new": "Algo que todavía no has probado.",
        "known": "Es algo que ya conoces.",
    },
}


def _reason(experience: Experience, fits_theme: bool, fits_approach: bool) -> tuple[str, tuple[int, ...]]:
    """What speaks for it most, and the figures to say; nothing of the past is held up that speaks against it."""
    rating, moods = experience.last_rating, experience.last_moods
    if rating is not None and rating > 3:
        return "rated", (rating,)
    if moods is not None and moods[1] > moods[0]:
        return "mood", moods
    if experience.completions and rating is None:
        return "completed", ()
    if fits_theme:
        return "theme", ()
    if fits_approach:
        return "approach", ()
    return "new" if experience is _NO_EXPERIENCE else "known", ()


@lru_cache(maxsize=1024)
def _recommendation(slug: str, reason: str, figures: tuple[int, ...], language: Language) -> Recommendation:
    exercise = CATALOGUE[slug]
    said = _REASONS[language][reason].format(*figures, name=exercise.name.get(language))
    return Recommendation(id=f"ex_{slug}", label=exercise.title.get(language), reason=said)
