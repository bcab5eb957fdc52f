"""What a turn answers and changes: one function per kind of frame. Nothing is written here; effects are named.

Pure, but for the await on the reply engine.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, assert_never

from therapy import practice
from therapy.crisis import response as crisis
from therapy.crisis.assessment import Level
from therapy.crisis.events import NoteCrisis
from therapy.elements import InteractiveElementHandler, parse_element_id
from therapy.exercises.catalogue import CATALOGUE
from therapy.messages import (
    Button,
    Element,
    Feedback,
    GoalContent,
    IncomingMessage,
    Interaction,
    Resource,
    SwitchContext,
    UpdateSettings,
    UserMessage,
)
from therapy.personalization import PersonalizationServiceManager
from therapy.progress import Goal
from therapy.replies.base import Draft, ReplyRequest
from therapy.sessions import PlayerSettings, PlayerState, RefusedError, SaveEpisode, SaveSettings
from therapy.situation import Reply, Situation, safety
from therapy.suitability import closed_to, is_suitable, suitable
from therapy.themes import themes_of

Drafter = Callable[[ReplyRequest], Awaitable[Draft]]

_elements = InteractiveElementHandler()
_personalization = PersonalizationServiceManager()

_SAID = {
    "en": {
        "feedback_exercise": "Feedback processed. What is suggested to you now follows it.",
        "feedback_noted": "Feedback processed. Thank you for saying it.",
        "switched": "You are now with {character} in {world}.",
        "settings": "Settings updated.",
        "nobody": "your companion",
        "nowhere": "this world",
    },
    "es": {
        "feedback_exercise": "Feedback processed. Lo que se te sugiere ahora lo tiene en cuenta.",
        "feedback_noted": "Feedback processed. Gracias por decirlo.",
        "switched": "Ahora estás con {character} en {world}.",
        "settings": "Ajustes guardados.",
        "nobody": "tu compañía",
        "nowhere": "este mundo",
    },
}


async def decide(situation: Situation, incoming: IncomingMessage, draft: Drafter) -> Reply:
    """The answer to a frame; RefusedError if it asks for what can't be."""
    match incoming:
        case UserMessage():
            in_danger = answer_danger(situation, incoming)
            vetted = in_danger or practice.take_words(situation, incoming)
            return vetted or await converse(situation, incoming, draft)
        case Interaction():
            return practice.interact(situation, incoming)
        case Feedback():
            return take_feedback(situation, incoming)
        case SwitchContext():
            return switch_context(situation)
        case UpdateSettings():
            return update_settings(situation, incoming)
        case _:
            assert_never(incoming)


def answer_danger(situation: Situation, incoming: UserMessage) -> Reply | None:
    """A crisis, or a turn that stays with one: vetted text that no engine sees. None in a normal conversation."""
    settings = situation.state.settings
    answer = crisis.respond(
        situation.assessment,
        incoming.content.text,
        situation.state.episode,
        country=settings.country,
        language=settings.language,
        at=situation.now,
    )
    return None if answer is None else _crisis_reply(situation, answer)


def answer_danger_whatever_happens(situation: Situation, incoming: IncomingMessage) -> Reply:
    """The same for a message in which danger was seen, should everything else fail."""
    settings = situation.state.settings
    answer = crisis.respond_whatever_happens(
        situation.assessment,
        incoming.content.text if isinstance(incoming, UserMessage) else "",
        situation.state.episode,
        country=settings.country,
        language=settings.language,
        at=situation.now,
    )
    return _crisis_reply(situation, answer)


def _crisis_reply(situation: Situation, answer: crisis.CrisisReply) -> Reply:
    state, assessment = situation.state, answer.assessment
    noted = NoteCrisis(
        state.player_id,
        situation.session.id,
        situation.said_id,
        assessment,
        answer.resource_ids,
        situation.now,
    )
    return Reply(
        "assistant",
        answer.text,
        _shown_in_danger(state, answer.elements),
        metadata={"safety": safety(assessment), "recommendations": [], "engine": "crisis"},
        effects=(
            SaveEpisode(state.player_id, answer.episode, situation.now),
            *([noted] if assessment.is_crisis else []),
        ),
        assessment=assessment,
    )


def _shown_in_danger(state: PlayerState, elements: tuple[Element, ...]) -> tuple[Element, ...]:
    """What the player wrote for this hour comes first; exercises that don't suit them are left out."""
    kept = tuple(e for e in elements if not isinstance(e, Button) or _is_open(e, state))
    return practice.safety_plan(state) + kept if any(isinstance(e, Resource) for e in kept) else kept


def _is_open(button: Button, state: PlayerState) -> bool:
    action = parse_element_id(button.id)
    return action is None or is_suitable(CATALOGUE[action.slug], state)


async def converse(situation: Situation, incoming: UserMessage, draft: Drafter) -> Reply:
    state, settings = situation.state, situation.state.settings
    drafted = await draft(
        ReplyRequest(
            text=incoming.content.text,
            recent=tuple(state.recent),
            character_id=situation.session.character_id or None,
            world_id=situation.session.world_id or None,
            language=settings.language,
            intensity=settings.intensity,
            approaches=settings.approaches,
            helped_before=_personalization.helped_before(state),
            closed=closed_to(state),
            is_low=situation.assessment.level == Level.CHECK_IN,
            seed=state.head,
        )
    )
    return Reply(
        "assistant",
        drafted.text,
        tuple(_elements.exercise_buttons(suitable(drafted.offers, state), settings.language)),
        metadata={
            "safety": safety(situation.assessment),
            "recommendations": _personalization.recommendations(state, themes_of(drafted.themes)),
            "engine": drafted.engine,
        },
    )


def take_feedback(situation: Situation, incoming: Feedback) -> Reply:
    state, about = situation.state, incoming.content.about
    if about is not None and parse_element_id(about) is None:
        raise RefusedError("unknown_element", "There is no such exercise.", "content.about")
    saved = _personalization.process_feedback(state, situation.session.id, incoming.content, situation.now)
    foreseen = replace(state, experiences=dict(state.experiences))
    saved.settle(foreseen)
    recommended = _personalization.recommendations(foreseen)
    is_judged = bool(saved.exercise) and saved.rating is not None
    return Reply(
        "system",
        _SAID[situation.language]["feedback_exercise" if is_judged else "feedback_noted"],
        tuple(recommended),
        metadata={"recommendations": recommended},
        effects=(saved,),
    )


def switch_context(situation: Situation) -> Reply:
    session, words = situation.session, _SAID[situation.language]
    text = words["switched"].format(
        character=session.character_id or words["nobody"], world=session.world_id or words["nowhere"]
    )
    context = {"character_id": session.character_id, "world_id": session.world_id}
    return Reply("system", text, event="context_switched", metadata={"context": context})


def update_settings(situation: Situation, incoming: UpdateSettings) -> Reply:
    given, now = incoming.content, situation.state.settings
    approaches = given.preferred_approaches
    is_goal_given = "goal" in given.model_fields_set
    settings = PlayerSettings(
        intensity=given.intensity or now.intensity,
        approaches=now.approaches if approaches is None else tuple(approaches),
        country=given.country or now.country,
        language=given.language or now.language,
        goal=_goal(situation, given.goal) if is_goal_given else now.goal,
    )
    shown: dict[str, Any] = {
        "intensity": settings.intensity,
        "preferred_approaches": list(settings.approaches),
        "country": settings.country,
        "language": settings.language,
    }
    if settings.goal is not None:
        shown["goal"] = {"exercise": settings.goal.exercise, "times": settings.goal.times}
    return Reply(
        "system",
        _SAID[settings.language]["settings"],
        event="settings_updated",
        metadata={"settings": shown},
        effects=(SaveSettings(situation.state.player_id, settings),),
    )


def _goal(situation: Situation, given: GoalContent | None) -> Goal | None:
    """The same goal said again goes on as it was, unless it is reached: then it begins anew."""
    state = situation.state
    if given is None:
        return None
    if given.exercise not in CATALOGUE:
        raise RefusedError("unknown_exercise", "There is no such exercise.", "content.goal.exercise")
    if not is_suitable(CATALOGUE[given.exercise], state):
        raise practice.refused("exercise_not_suitable", situation.language, "content.goal.exercise")
    standing = state.settings.goal
    is_same = standing is not None and (standing.exercise, standing.times) == (given.exercise, given.times)
    if standing is not None and is_same and standing.earned_by not in state.earned:
        return standing
    return Goal(given.exercise, given.times, situation.now)
