"""The exercises the product knows: one TOML file each, validated when this module is imported.

A broken file makes the import fail and names the file and the field, so that no player ever meets half an
exercise. No Django here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Container, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from therapy.messages import Approach, Intensity, Language

SHORT_SECONDS = 300

Kind = Literal["paced", "steps", "worksheet"]
Theme = Literal[
    "anxiety",
    "panic",
    "stress",
    "overwhelm",
    "low_mood",
    "anger",
    "urges",
    "trauma",
    "dissociation",
    "sleep",
    "tension",
    "loneliness",
    "grief",
    "self_criticism",
    "rumination",
    "worry",
    "practical_problems",
    "suicidal_thoughts",
]
#: What can speak against an exercise: a health condition, a state, or a part of the exercise itself.
Contraindication = Literal[
    "breath_hold",
    "respiratory",
    "cardiac",
    "hypertension",
    "beta_blockers",
    "pregnancy",
    "injury",
    "eating_disorder",
    "cold_allergy",
    "panic_attacks",
    "trauma",
    "grief",
    "mania",
    "ocd",
    "withdrawal",
    "self_harm_intent",
    "acute_crisis",
]

_Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=600)]
_FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,31}$")]


class CatalogueError(Exception):
    """An exercise file is broken; the message names the file and the field."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(_Frozen):
    """The same words in every language the product speaks."""

    en: _Words
    es: _Words

    def get(self, language: Language) -> str:
        return self.es if language == "es" else self.en


class ExerciseStep(_Frozen):
    """`seconds` is 0 where the player sets the pace. A worksheet step asks `prompt` and keeps the answer as `field`."""

    text: Text
    seconds: Annotated[int, Field(ge=0, le=900)] = 0
    prompt: Text | None = None
    field: _FieldName | None = None

    @model_validator(mode="after")
    def _asks_and_keeps(self) -> Self:
        if (self.prompt is None) != (self.field is None):
            raise ValueError("prompt and field belong together")
        return self


class Caution(_Frozen):
    """`when` names whom it concerns; empty: everybody."""

    text: Text
    when: tuple[Contraindication, ...] = ()


class OptionalPart(_Frozen):
    """Steps that stay off until somebody who knows the player switches them on."""

    is_exertion: bool = False
    steps: Annotated[tuple[ExerciseStep, ...], Field(min_length=1)]
    cautions: Annotated[tuple[Caution, ...], Field(min_length=1)]
    contraindications: tuple[Contraindication, ...] = ()


class LocalizedStep(_Frozen):
    text: str
    seconds: int
    prompt: str | None = None
    field: str | None = None


class LocalizedExercise(_Frozen):
    """An exercise as one player reads it."""

    slug: str
    kind: Kind
    language: Language
    title: str
    button: str
    summary: str
    steps: tuple[LocalizedStep, ...]
    cycles: int
    duration_seconds: int
    cautions: tuple[str, ...]


class Exercise(_Frozen):
    slug: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{1,39}$")]
    kind: Kind
    title: Text
    name: Text  # the exercise within a sentence
    button: Text
    summary: Text
    steps: Annotated[tuple[ExerciseStep, ...], Field(min_length=1, max_length=30)]
    cycles: Annotated[int, Field(ge=1, le=60)] = 1
    duration_seconds: Annotated[int, Field(gt=0, le=3600)]
    approaches: Annotated[tuple[Approach, ...], Field(min_length=1)]
    intensity: Intensity
    helps_with: Annotated[tuple[Theme, ...], Field(min_length=1)]
    cautions: Annotated[tuple[Caution, ...], Field(min_length=1)]
    contraindications: tuple[Contraindication, ...] = ()
    has_breath_hold: bool = False
    has_exertion: bool = False
    rates_mood: bool = False
    optional_parts: dict[_FieldName, OptionalPart] = {}
    source: _Words

    @model_validator(mode="after")
    def _lasts_as_long_as_its_steps(self) -> Self:
        timed = self.timed_seconds
        if self.kind == "paced" and (
            timed != self.duration_seconds or not all(s.seconds for s in self.steps)
        ):
            raise ValueError(f"duration_seconds: the paced steps take {timed} seconds, each more than 0")
        if timed > self.duration_seconds:
            raise ValueError(f"duration_seconds: the steps alone take {timed} seconds")
        return self

    @model_validator(mode="after")
    def _asks_only_in_worksheets(self) -> Self:
        fields = [step.field for step in self.steps if step.field]
        if bool(fields) != (self.kind == "worksheet"):
            raise ValueError("steps: a worksheet, and nothing else, asks for the player's words")
        if len(set(fields)) != len(fields):
            raise ValueError("steps: a field is named twice")
        return self

    @property
    def timed_seconds(self) -> int:
        return self.cycles * sum(step.seconds for step in self.steps)

    @property
    def expected_seconds(self) -> int:
        """The time that speaks of having done it. At a worksheet some write fast: a third of its duration."""
        return self.duration_seconds // 3 if self.kind == "worksheet" else self.duration_seconds

    @property
    def is_short(self) -> bool:
        return self.duration_seconds <= SHORT_SECONDS

    @property
    def fits_a_crisis(self) -> bool:
        """Short, no breath held, no exertion, and nothing else that speaks against it in an acute crisis."""
        strains = self.has_breath_hold or self.has_exertion
        return self.is_short and not strains and "acute_crisis" not in self.contraindications

    def with_cautions_for(self, known: Container[str]) -> Exercise:
        """The exercise with the cautions that concern somebody for whom `known` holds before all others."""
        concerning = tuple(c for c in self.cautions if any(name in known for name in c.when))
        if not concerning:
            return self
        others = tuple(caution for caution in self.cautions if caution not in concerning)
        return self._with({"cautions": concerning + others})

    def with_part(self, name: str) -> Exercise:
        """The exercise opened by one of its optional parts, whose cautions and contraindications it takes over."""
        part = self.optional_parts[name]
        changed = {
            "steps": part.steps + self.steps,
            "duration_seconds": self.duration_seconds + sum(step.seconds for step in part.steps),
            "cautions": part.cautions + self.cautions,
            "contraindications": tuple(dict.fromkeys(self.contraindications + part.contraindications)),
            "has_exertion": self.has_exertion or part.is_exertion,
        }
        return self._with(changed)

    def _with(self, changed: Mapping[str, Any]) -> Exercise:
        # Not model_copy: it would take the cached translations along.
        return Exercise.model_validate({**dict(self), **changed})

    def localized(self, language: Language) -> LocalizedExercise:
        return self._by_language[language]

    @cached_property
    def _by_language(self) -> dict[Language, LocalizedExercise]:
        return {"en": self._localize("en"), "es": self._localize("es")}

    def _localize(self, language: Language) -> LocalizedExercise:
        return LocalizedExercise(
            slug=self.slug,
            kind=self.kind,
            language=language,
            title=self.title.get(language),
            button=self.button.get(language),
            summary=self.summary.get(language),
            steps=tuple(_localize_step(step, language) for step in self.steps),
            cycles=self.cycles,
            duration_seconds=self.duration_seconds,
            cautions=tuple(caution.text.get(language) for caution in self.cautions),
        )


def _localize_step(step: ExerciseStep, language: Language) -> LocalizedStep:
    prompt = step.prompt.get(language) if step.prompt else None
    return LocalizedStep(text=step.text.get(language), seconds=step.seconds, prompt=prompt, field=step.field)


def load_exercise(path: Path) -> Exercise:
    """Read one file; the slug is the file's name."""
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return Exercise.model_validate({**content, "slug": path.stem})
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"{path.name}: not TOML: {error}") from error
    except ValidationError as error:
        raise CatalogueError(f"{path.name}: {_describe(error)}") from error


def _describe(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'exercise'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)
    )


def load_catalogue(folder: Path) -> Mapping[str, Exercise]:
    exercises = (load_exercise(path) for path in sorted(folder.glob("*.toml")))
    return MappingProxyType({exercise.slug: exercise for exercise in exercises})


CATALOGUE: Mapping[str, Exercise] = load_catalogue(Path(__file__).parent)


def in_crisis(exercises: Iterable[Exercise] = CATALOGUE.values()) -> tuple[Exercise, ...]:
    """What may be offered below the resources of a crisis, shortest first."""
    return tuple(
        sorted((e for e in exercises if e.fits_a_crisis), key=lambda e: (e.duration_seconds, e.slug))
    )
