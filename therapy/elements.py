"""Builders of what a player can press, read and follow, and the one reader of `ex_...` ids. No Django here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from therapy.exercises.catalogue import CATALOGUE, Exercise, LocalizedExercise, LocalizedStep
from therapy.messages import (
    Button,
    Element,
    Instruction,
    Language,
    Progress,
    Recommendation,
    Resource,
    Step,
)

Verb = Literal["start", "complete", "next", "back", "stop", "before", "after"]
Moment = Literal["before", "after"]
MOOD_RANGE = range(11)

_RATINGS = get_args(Moment)
_STEERING = tuple(verb for verb in get_args(Verb) if verb != "start" and verb not in _RATINGS)
# All known slugs in one expression: a slug may hold underscores, so the id cannot be split at them.
_ELEMENT_ID = re.compile(
    rf"ex_(?P<slug>{'|'.join(map(re.escape, CATALOGUE))})"
    rf"(?:_(?P<steering>{'|'.join(_STEERING)})|_(?P<moment>{'|'.join(_RATINGS)})_(?P<value>[0-9]|10))?"
)

_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "complete": "I have done it",
        "next": "Next step",
        "back": "Step back",
        "stop": "Stop here",
        "worst": "0: very bad",
        "best": "10: very good",
        "first": "Before you begin:",
        "second": "(1 second)",
        "seconds": "({} seconds)",
        "repeat": "Go through the steps {} times.",
        "minutes": "About {} minutes.",
        "minute": "About 1 minute.",
        "own_words": "Write your answer as a message.",
    },
    "es": {
        "complete": "Ya lo hice",
        "next": "Siguiente paso",
        "back": "Paso anterior",
        "stop": "Parar aquí",
        "worst": "0: muy mal",
        "best": "10: muy bien",
        "first": "Antes de empezar:",
        "second": "(1 segundo)",
        "seconds": "({} segundos)",
        "repeat": "Repite los pasos {} veces.",
        "minutes": "Unos {} minutos.",
        "minute": "Un minuto, más o menos.",
        "own_words": "Escribe tu respuesta en un mensaje.",
    },
}


@dataclass(frozen=True, slots=True)
class ExerciseAction:
    """What a press on an `ex_...` element asks for. `value` is the mood, 0 to 10, of `before` and `after`."""

    slug: str
    verb: Verb
    value: int | None = None

    @property
    def element_id(self) -> str:
        if self.verb == "start":
            return f"ex_{self.slug}"
        return f"ex_{self.slug}_{self.verb}" + ("" if self.value is None else f"_{self.value}")


def parse_element_id(element_id: str) -> ExerciseAction | None:
    """None for whatever is not an exercise of the catalogue, or asks of one what cannot be asked."""
    found = _ELEMENT_ID.fullmatch(element_id)
    if found is None:
        return None
    verb = found["steering"] or found["moment"] or "start"
    return ExerciseAction(found["slug"], verb, int(found["value"]) if found["value"] else None)  # type: ignore[arg-type]


class InteractiveElementHandler:
    """Builds elements; keeps nothing."""

    def __init__(self, catalogue: Mapping[str, Exercise] = CATALOGUE) -> None:
        self._catalogue = catalogue

    def exercise_buttons(self, slugs: Iterable[str], language: Language) -> list[Button]:
        """One button each, in the order given. KeyError where the catalogue lacks a slug."""
        return [_start_button(self._catalogue[slug].localized(language)) for slug in slugs]

    def start(self, exercise: Exercise, language: Language) -> list[Element]:
        """The first answer to a start, for every client: the whole exercise, and the button that completes it."""
        localized = exercise.localized(language)
        return [instruction(localized), _button(exercise.slug, "complete", language)]

    def step(self, exercise: Exercise, index: int, language: Language) -> list[Element]:
        """One step, counted from 0, and the buttons to walk on; the last one completes in place of `next`."""
        localized = exercise.localized(language)
        is_last = index == len(localized.steps) - 1
        verbs: list[Verb] = ["back"] if index else []
        verbs += ["complete" if is_last else "next", "stop"]
        return [_one_step(localized, index), *(_button(exercise.slug, verb, language) for verb in verbs)]

    def completion(self, exercise: Exercise, language: Language) -> list[Element]:
        """The button that completes it, by itself: for when there is nothing more to show."""
        return [_button(exercise.slug, "complete", language)]

    def mood_buttons(self, exercise: Exercise, moment: Moment, language: Language) -> list[Button]:
        """Eleven buttons, 0 (very bad) to 10 (very good)."""
        return [
            Button(
                id=ExerciseAction(exercise.slug, moment, value).element_id, label=_mood_label(value, language)
            )
            for value in MOOD_RANGE
        ]

    def label(self, action: ExerciseAction, language: Language) -> str:
        """What stands on the button of an action, as the player saw it when pressing."""
        if action.verb == "start":
            return self._catalogue[action.slug].localized(language).button
        if action.value is not None:
            return str(action.value)
        return _WORDS[language][action.verb]

    def progress(self, marker_id: str, label: str, marker_type: str, value: float) -> Progress:
        return Progress(id=marker_id, label=label, marker_type=marker_type, therapeutic_value=value)

    def resources(self, resources: Iterable[Resource]) -> list[Resource]:
        """In the order given, each once: two crisis types may name the same line."""
        return list({resource.id: resource for resource in resources}.values())

    def recommendations(self, ranked: Iterable[tuple[str, str]], language: Language) -> list[Recommendation]:
        """From pairs of slug and reason, best first."""
        return [
            Recommendation(
                id=ExerciseAction(slug, "start").element_id,
                label=self._catalogue[slug].title.get(language),
                reason=reason,
            )
            for slug, reason in ranked
        ]


def instruction(exercise: LocalizedExercise) -> Instruction:
    """All of the exercise. Its label reads from caution to last step, for clients that show only labels."""
    return Instruction(
        id=f"ex_{exercise.slug}_steps",
        label=_whole(exercise),
        title=exercise.title,
        steps=[Step(text=_step_text(step), seconds=step.seconds) for step in exercise.steps],
        cycles=exercise.cycles,
        duration_seconds=exercise.duration_seconds,
        cautions=list(exercise.cautions),
    )


def _whole(exercise: LocalizedExercise) -> str:
    words = _WORDS[exercise.language]
    lines = [f"{exercise.title}. {exercise.summary}", f"{words['first']} {' '.join(exercise.cautions)}"]
    lines += [f"{number}. {_timed(step, words)}" for number, step in enumerate(exercise.steps, start=1)]
    if exercise.cycles > 1:
        lines.append(words["repeat"].format(exercise.cycles))
    return "\n".join([*lines, _length(exercise.duration_seconds, words)])


def _one_step(exercise: LocalizedExercise, index: int) -> Instruction:
    step = exercise.steps[index]
    words = _WORDS[exercise.language]
    then = f" {words['own_words']}" if step.prompt else ""
    if exercise.cycles > 1 and index == len(exercise.steps) - 1:
        then += f" {words['repeat'].format(exercise.cycles)}"
    return Instruction(
        id=f"ex_{exercise.slug}_step_{index + 1}",
        label=f"{index + 1}/{len(exercise.steps)}. {_timed(step, words)}{then}",
        title=exercise.title,
        steps=[Step(text=f"{_step_text(step)}{then}", seconds=step.seconds)],
        duration_seconds=step.seconds,
        cautions=list(exercise.cautions) if index == 0 else [],
    )


def _step_text(step: LocalizedStep) -> str:
    return f"{step.text} {step.prompt}" if step.prompt else step.text


def _timed(step: LocalizedStep, words: dict[str, str]) -> str:
    if not step.seconds:
        return _step_text(step)
    lasts = words["second"] if step.seconds == 1 else words["seconds"].format(step.seconds)
    return f"{_step_text(step)} {lasts}"


def _length(seconds: int, words: dict[str, str]) -> str:
    minutes = max(1, round(seconds / 60))
    return words["minute"] if minutes == 1 else words["minutes"].format(minutes)


def _start_button(exercise: LocalizedExercise) -> Button:
    return Button(id=ExerciseAction(exercise.slug, "start").element_id, label=exercise.button)


def _button(slug: str, verb: Verb, language: Language) -> Button:
    return Button(id=ExerciseAction(slug, verb).element_id, label=_WORDS[language][verb])


def _mood_label(value: int, language: Language) -> str:
    words = _WORDS[language]
    return {MOOD_RANGE[0]: words["worst"], MOOD_RANGE[-1]: words["best"]}.get(value, str(value))
