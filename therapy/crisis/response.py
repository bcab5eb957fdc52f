"""What is shown in a crisis: vetted words, who can help now, and something short to hold on to.

Needs nothing but the process: everything it draws on is loaded when it is imported. No Django here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from therapy.crisis.answers import CrisisAnswer, Episode, answer, follow_up
from therapy.crisis.assessment import Assessment, Level
from therapy.crisis.helplines import HELPLINES, helplines_for
from therapy.elements import InteractiveElementHandler
from therapy.messages import Element, Language

_elements = InteractiveElementHandler()


log = structlog.get_logger()

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
    """`episode` is where the conversation stands after it."""

    text: str
    elements: tuple[Element, ...]
    resource_ids: tuple[str, ...]
    episode: Episode | None


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
    lines = helplines_for(
        country=country or None,
        types=assessment.types,
        language=language,
        at=at,
        imminent=assessment.level == Level.IMMINENT,
    )
    if episode is None:
        found: CrisisAnswer | None = answer(assessment, language=language, lines=lines)
    else:
        found = follow_up(assessment, text, episode, language=language, lines=lines)
    if found is None:
        return None
    resources = _elements.resources(line.resource() for line in lines) if found.shows_resources else []
    return CrisisReply(
        text=found.text,
        elements=(*resources, *_elements.exercise_buttons(found.exercises, language)),
        resource_ids=tuple(resource.id for resource in resources),
        episode=found.episode,
    )


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
    return CrisisReply(_LAST_WORDS[language], resources, tuple(r.id for r in resources), episode)


def allowed_contacts() -> frozenset[str]:
    """Every number and address of the helplines: what an engine's text may name."""
    return frozenset(text for line in HELPLINES for text in (line.info, line.link))
