"""What is shown in a crisis: vetted words, who can help now, and something short to hold on to.

Needs nothing but the process: everything it draws on is loaded when it is imported. No Django here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from therapy.crisis.answers import CrisisAnswer, Episode, answer, follow_up
from therapy.crisis.assessment import Assessment, Level
from therapy.crisis.helplines import helplines_for
from therapy.elements import InteractiveElementHandler
from therapy.messages import Element, Language

_elements = InteractiveElementHandler()


@dataclass(frozen=True, slots=True)
class CrisisReply:
    """`episode` is where the conversation stands after it; None when it is over."""

    text: str
    elements: tuple[Element, ...]
    resource_ids: tuple[str, ...]
    episode: Episode | None


def respond(
    assessment: Assessment, text: str, episode: Episode | None, *, country: str, language: Language, at: datetime
) -> CrisisReply | None:
    """The answer to danger, or to what follows it; None where the normal conversation goes on."""
    if assessment.is_crisis:
        found: CrisisAnswer | None = answer(assessment, language=language, episode=episode)
    elif episode is not None:
        found = follow_up(assessment, text, episode, language=language)
    else:
        found = None
    if found is None:
        return None
    lines = (
        helplines_for(
            country=country or None,
            types=assessment.types,
            language=language,
            at=at,
            imminent=assessment.level == Level.IMMINENT,
        )
        if found.shows_resources
        else ()
    )
    resources = _elements.resources(line.resource() for line in lines)
    return CrisisReply(
        text=found.text,
        elements=(*resources, *_elements.exercise_buttons(found.exercises, language)),
        resource_ids=tuple(resource.id for resource in resources),
        episode=None if found.is_over else found.episode,
    )
