"""What a turn answers and changes: one function per kind of frame. Nothing is written here; effects are named.

Pure, but for the await on the reply engine.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from therapy.crisis import response as crisis
from therapy.crisis.assessment import Assessment, Level
from therapy.crisis.events import NoteCrisis
from therapy.elements import ExerciseAction, InteractiveElementHandler, parse_element_id
from therapy.exercises.catalogue import CATALOGUE
from therapy.journal import Effect
from therapy.messages import (
    Element,
    Feedback,
    IncomingMessage,
    Interaction,
    Role,
    Safety,
    SwitchContext,
    UpdateSettings,
    UserMessage,
    new_id,
)
from therapy.models import ExerciseRun
from therapy.personalization import NoteExperience, PersonalizationServiceManager
from therapy.progress import EndRun, OpenRun, ProgressTracker, RecordMarker, StartRun
from therapy.replies.base import Draft, ReplyRequest
from therapy.sessions import (
    PlayerSettings,
    PlayerState,
    RefusedError,
    SaveEpisode,
    SaveSettings,
    SessionContext,
)

Drafter = Callable[[ReplyRequest], Awaitable[Draft]]

_elements = InteractiveElementHandler()
_personalization = PersonalizationServiceManager()
_progress = ProgressTracker()

_SAID = {
    "en": {
        "completed": "Done. That was time for yourself, and it is noted.",
        "stopped": "That is fine. Stopping when it is enough is part of it.",
        "feedback_exercise": "Feedback processed. What is suggested to you now follows it.",
        "feedback_noted": "Feedback processed. Thank you for saying it.",
        "switched": "You are now with {character} in {world}.",
        "settings": "Settings updated.",
        "nobody": "your companion",
        "nowhere": "this world",
    },
    "es": {
        "completed": "Hecho. Ha sido un rato para ti y queda anotado.",
        "stopped": "Está bien. Parar cuando ya basta también forma parte.",
        "feedback_exercise": "Feedback processed. Lo que se te sugiere ahora lo tiene en cuenta.",
        "feedback_noted": "Feedback processed. Gracias por decirlo.",
        "switched": "Ahora estás con {character} en {world}.",
        "settings": "Ajustes guardados.",
        "nobody": "tu compañía",
        "nowhere": "este mundo",
    },
}


@dataclass(frozen=True, slots=True)
class Situation:
    """What a frame is decided in. `said_id` is the id its message will have in the log."""

    state: PlayerState
    session: SessionContext
    assessment: Assessment
    said_id: str
    now: datetime

    @property
    def words(self) -> dict[str, str]:
        return _SAID[self.state.settings.language]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, and what changes with it. `assessment` where it is another than the message's own."""

    role: Role
    text: str
    elements: tuple[Element, ...] = ()
    event: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()
    assessment: Assessment | None = None

    def in_session(self, session_id: UUID) -> Reply:
        """The same reply, noted in another session than it was decided in."""
        effects = (
            replace(e, session_id=session_id) if isinstance(e, NoteCrisis) else e for e in self.effects
        )
        return replace(self, effects=tuple(effects))


async def decide(situation: Situation, incoming: IncomingMessage, draft: Drafter) -> Reply:
    """The answer to a frame; RefusedError if it asks for what can't be."""
    match incoming:
        case UserMessage():
            in_danger = answer_danger(situation, incoming)
            return in_danger or await converse(situation, incoming, draft)
        case Interaction():
            return interact(situation, incoming)
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
        answer.elements,
        metadata={"safety": safety(assessment), "recommendations": [], "engine": "crisis"},
        effects=(SaveEpisode(state.player_id, answer.episode), *([noted] if assessment.is_crisis else [])),
        assessment=assessment,
    )


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
            is_low=situation.assessment.level == Level.CHECK_IN,
            seed=state.head,
        )
    )
    return Reply(
        "assistant",
        drafted.text,
        tuple(_elements.exercise_buttons(drafted.offers, settings.language)),
        metadata={
            "safety": safety(situation.assessment),
            "recommendations": _personalization.recommendations(state, drafted.themes),
            "engine": drafted.engine,
        },
    )


def interact(situation: Situation, incoming: Interaction) -> Reply:
    action = parse_element_id(incoming.content.id)
    if action is None:
        raise RefusedError("unknown_element", "There is no such button here.", "content.id")
    if action.verb == "start" and incoming.content.action == "complete_exercise":
        action = replace(action, verb="complete")
    if action.verb == "start":
        return _start(situation, action)
    run = situation.state.open_runs.get(action.slug)
    if run is None:
        text = "This exercise is not under way, so nothing was recorded. Start it first."
        raise RefusedError("exercise_not_started", text, "content.id")
    if action.verb == "complete":
        return _complete(situation, run)
    if action.verb == "stop":
        return _stop(situation, run)
    raise RefusedError("unknown_element", "There is no such button here.", "content.id")


def _start(situation: Situation, action: ExerciseAction) -> Reply:
    exercise, state = CATALOGUE[action.slug], situation.state
    language = state.settings.language
    run = OpenRun(new_id(), action.slug, situation.now)
    return Reply(
        "interactive",
        exercise.summary.get(language),
        tuple(_elements.start(exercise, language)),
        effects=(StartRun(run, state.player_id, situation.session.id, exercise.duration_seconds),),
    )


def _complete(situation: Situation, run: OpenRun) -> Reply:
    state = situation.state
    marker = _progress.completed(
        run, CATALOGUE[run.exercise], situation.session.id, situation.now, state.settings.language
    )
    shown = _elements.progress(
        str(marker.marker_id), marker.description, marker.marker_type, marker.therapeutic_value
    )
    return Reply(
        "interactive",
        situation.words["completed"],
        (shown,),
        effects=(
            EndRun(run, ExerciseRun.Outcome.COMPLETED, situation.now),
            RecordMarker(state.player_id, marker),
            NoteExperience(run.exercise, is_completed=True),
        ),
    )


def _stop(situation: Situation, run: OpenRun) -> Reply:
    return Reply(
        "interactive",
        situation.words["stopped"],
        effects=(
            EndRun(run, ExerciseRun.Outcome.STOPPED, situation.now),
            NoteExperience(run.exercise, is_completed=False),
        ),
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
        situation.words["feedback_exercise" if is_judged else "feedback_noted"],
        tuple(recommended),
        metadata={"recommendations": recommended},
        effects=(saved,),
    )


def switch_context(situation: Situation) -> Reply:
    session, words = situation.session, situation.words
    text = words["switched"].format(
        character=session.character_id or words["nobody"], world=session.world_id or words["nowhere"]
    )
    context = {"character_id": session.character_id, "world_id": session.world_id}
    return Reply("system", text, event="context_switched", metadata={"context": context})


def update_settings(situation: Situation, incoming: UpdateSettings) -> Reply:
    given, now = incoming.content, situation.state.settings
    approaches = given.preferred_approaches
    settings = PlayerSettings(
        intensity=given.intensity or now.intensity,
        approaches=now.approaches if approaches is None else tuple(approaches),
        country=given.country or now.country,
        language=given.language or now.language,
    )
    shown = {
        "intensity": settings.intensity,
        "preferred_approaches": list(settings.approaches),
        "country": settings.country,
        "language": settings.language,
    }
    return Reply(
        "system",
        _SAID[settings.language]["settings"],
        event="settings_updated",
        metadata={"settings": shown},
        effects=(SaveSettings(situation.state.player_id, settings),),
    )


def safety(assessment: Assessment) -> Safety:
    """What the wire says of an assessment; `types` are those of a crisis, a check-in has none."""
    types = list(assessment.types) if assessment.is_crisis else []
    return Safety(crisis=assessment.is_crisis, types=types, level=assessment.level.label)
