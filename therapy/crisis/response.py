"""What is shown in a crisis: vetted words, who can help now, and something short to hold on to.

Needs nothing but the process: everything it draws on is loaded when it is imported. No Django here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from therapy.crisis.answers import CrisisAnswer, Episode, answer, follow_up
from therapy.crisis.assessment import Assessment, Heard, Level, Reason
from therapy.crisis.helplines import HELPLINES, Helpline, helplines_for
from therapy.elements import InteractiveElementHandler
from therapy.messages import Element, Language

log = structlog.get_logger()

_elements = InteractiveElementHandler()

#: Where the detector itself fails, nobody knows: then it is better to ask, and to show help.
UNASSESSED = Assessment(Level.ELEVATED, ("general_distress",), (Reason("detector_failed"),))

_LAST_WORDS: dict[Language, str] = {
    "en": (
        "What you wrote matters, and you should not be alone with it. I am not a person. Please reach one now: "
        "call or text one of these lines, or the emergency number if you are in danger. Is somebody near you?"
    ),
    "es": (
        "Lo que has escrito importa, y no deberías estar a solas con ello. No soy una persona. Por favor, habla "
        "ahora con una: llama o escribe a una de estas líneas, o a emergencias si estás en peligro. ¿Hay alguien "
        "cerca de ti?"
    ),
}


@dataclass(frozen=True, slots=True)
class CrisisReply:
    """`episode` is where the conversation stands after it; `assessment` the message's, read as a part of it."""

    text: str
    elements: tuple[Element, ...]
    resource_ids: tuple[str, ...]
    episode: Episode | None
    assessment: Assessment


def assess_whatever_happens(
    assess: Callable[[str, Sequence[Heard]], Assessment], text: str, heard: Sequence[Heard]
) -> Assessment:
    """What `assess` says, or, should it fail, that there may be danger."""
    try:
        return assess(text, heard)
    except Exception as error:
        log.error("detector_failed", exc_info=error)
        return UNASSESSED


def respond(
    assessment: Assessment,
    text: str,
    episode: Episode | None,
    *,
    country: str,
    language: Language,
    at: datetime,
) -> CrisisReply | None:
    """The answer to danger, or to what follows it; None where the normal conversation goes on."""
    if episode is None and not assessment.is_crisis:
        return None
    types = assessment.types or ((episode.kind,) if episode else ())

    def lines_at(level: int) -> tuple[Helpline, ...]:
        is_imminent = level == Level.IMMINENT
        return helplines_for(
            country=country or None, types=types, language=language, at=at, imminent=is_imminent
        )

    lines = lines_at(assessment.level)
    if episode is None:
        found: CrisisAnswer | None = answer(assessment, language=language, lines=lines)
    else:
        found = follow_up(assessment, text, episode, language=language, lines=lines)
    if found is None:
        return None
    heeded = _in_episode(assessment, episode, found)
    lines = lines_at(heeded.level) if found.shows_resources else ()
    resources = _elements.resources(line.resource() for line in lines)
    return CrisisReply(
        text=found.text,
        elements=(*resources, *_elements.exercise_buttons(found.exercises, language)),
        resource_ids=tuple(resource.id for resource in resources),
        episode=found.episode,
        assessment=heeded,
    )


def _in_episode(assessment: Assessment, before: Episode | None, found: CrisisAnswer) -> Assessment:
    """A short reply means what it was a reply to: a "no" to "are you safe?" is graver than its one word, and a
    sign of safety that ends the episode is no crisis."""
    after = found.episode
    if found.is_over and assessment.is_crisis:
        return replace(assessment, level=Level.CHECK_IN)
    is_raised = before is not None and not found.is_over and after.level > max(before.level, assessment.level)
    if is_raised:
        reasons = (*assessment.reasons, Reason(f"reply.{before.asked if before else ''}"))
        return Assessment(Level(after.level), assessment.types or (after.kind,), reasons)
    return assessment


def respond_whatever_happens(
    assessment: Assessment,
    text: str,
    episode: Episode | None,
    *,
    country: str,
    language: Language,
    at: datetime,
) -> CrisisReply:
    """The answer to a crisis, or, should composing it fail, plain words and who can help."""
    try:
        answered = respond(assessment, text, episode, country=country, language=language, at=at)
        if answered is not None:
            return answered
    except Exception as error:
        log.error("crisis_answer_failed", exc_info=error)
    resources = tuple(
        line.resource() for line in helplines_for(country=country or None, at=at, imminent=True)
    )
    ids = tuple(resource.id for resource in resources)
    return CrisisReply(_LAST_WORDS[language], resources, ids, episode, assessment)


def allowed_contacts() -> frozenset[str]:
    """Every number and address of the helplines: what an engine's text may name."""
    return frozenset(text for line in HELPLINES for text in (line.info, line.link))
