"""What is answered to whoever does an exercise: starting, walking, writing, rating, ending. Nothing is written here."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import structlog

from therapy.elements import ExerciseAction, InteractiveElementHandler, parse_element_id
from therapy.exercises.catalogue import CATALOGUE, Exercise
from therapy.exercises.walk import Walk
from therapy.messages import Element, Instruction, Interaction, Language, Step, UserMessage, new_id
from therapy.models import ExerciseRun
from therapy.personalization import NoteExperience
from therapy.progress import Marker, ProgressTracker, RecordMarker
from therapy.runs import RATED_WITHIN, SAFETY_PLAN, CompletedRun, EndRun, OpenRun, RateRun, SaveWalk, StartRun
from therapy.sessions import WORKSHEET_ENGINE, PlayerState, RefusedError
from therapy.situation import Reply, Situation, safety
from therapy.suitability import is_suitable, known_of

log = structlog.get_logger()

#: After a longer pause words are conversation again, until a step is asked for.
WORDS_WITHIN = timedelta(hours=12)

_elements = InteractiveElementHandler()
_progress = ProgressTracker()

_SAID: dict[Language, dict[str, str]] = {
    "en": {
        "step": "Step {step} of {steps}.",
        "resumed": "This is where you left off. Step {step} of {steps}.",
        "kept": "Noted. Step {step} of {steps}.",
        "how_before": "If you like, say first how you feel, from 0 (very bad) to 10 (very good).",
        "all_words": "That was the last question, and what you wrote is kept. Press the button when you are done.",
        "completed": "Done. That was time for yourself, and it is noted.",
        "completed_plan": "Your plan is kept. In a hard hour it is shown to you before everything else.",
        "how_after": "How do you feel now, from 0 (very bad) to 10 (very good)?",
        "stopped": "That is fine. Stopping when it is enough is part of it.",
        "rated": "Noted: {mood} of 10.",
        "rated_after": "Noted: {mood} of 10. Before, it was {before}.",
        "plan_title": "Your safety plan",
    },
    "es": {
        "step": "Paso {step} de {steps}.",
        "resumed": "Aquí lo dejaste. Paso {step} de {steps}.",
        "kept": "Anotado. Paso {step} de {steps}.",
        "how_before": "Si quieres, di primero cómo te sientes, de 0 (muy mal) a 10 (muy bien).",
        "all_words": "Era la última pregunta, y lo que escribiste queda guardado. Pulsa el botón cuando termines.",
        "completed": "Hecho. Ha sido un rato para ti y queda anotado.",
        "completed_plan": "Tu plan queda guardado. En un momento difícil se te muestra antes que nada.",
        "how_after": "¿Cómo te sientes ahora, de 0 (muy mal) a 10 (muy bien)?",
        "stopped": "Está bien. Parar cuando ya basta también forma parte.",
        "rated": "Anotado: {mood} de 10.",
        "rated_after": "Anotado: {mood} de 10. Antes era {before}.",
        "plan_title": "Tu plan de seguridad",
    },
}
_REFUSED: dict[Language, dict[str, str]] = {
    "en": {
        "unknown_element": "There is no such button here.",
        "exercise_not_started": "This exercise is not under way, so nothing was recorded. Start it first.",
        "exercise_not_suitable": "This exercise does not suit you just now. Grounding is always open to you, and "
        "your clinician can tell you more.",
        "rating_closed": "Nothing was recorded: the mood after an exercise is taken once, within a day.",
    },
    "es": {
        "unknown_element": "Aquí no hay ningún botón así.",
        "exercise_not_started": "Este ejercicio no está en marcha, así que no se ha anotado nada. Empiézalo primero.",
        "exercise_not_suitable": "Este ejercicio no es para ti en este momento. El anclaje lo tienes siempre a mano, "
        "y tu terapeuta puede contarte más.",
        "rating_closed": "No se ha anotado nada: el ánimo después de un ejercicio se anota una vez, en el mismo día.",
    },
}


def refused(code: str, language: Language, field: str = "content.id") -> RefusedError:
    return RefusedError(code, _REFUSED[language][code], field)


# --- pressing ----------------------------------------------------------------------------------------


def interact(situation: Situation, incoming: Interaction) -> Reply:
    """The answer to a pressed button; RefusedError if it is none, or not now."""
    action = parse_element_id(incoming.content.id)
    if action is None:
        raise refused("unknown_element", situation.language)
    if action.verb == "start" and incoming.content.action == "complete_exercise":
        action = replace(action, verb="complete")
    match action.verb:
        case "start":
            return _start(situation, action)
        case "next" | "back":
            return _go(situation, action)
        case "complete":
            return _complete(situation, _under_way(situation, action))
        case "stop":
            return _stop(situation, _under_way(situation, action))
        case "before" | "after":
            return _rate(situation, action)


def _under_way(situation: Situation, action: ExerciseAction) -> OpenRun:
    run = situation.state.open_runs.get(action.slug)
    if run is None:
        raise refused("exercise_not_started", situation.language)
    return run


def _exercise(slug: str, state: PlayerState) -> Exercise:
    return CATALOGUE[slug].with_cautions_for(known_of(state))


def _start(situation: Situation, action: ExerciseAction) -> Reply:
    state, language = situation.state, situation.language
    if not is_suitable(CATALOGUE[action.slug], state):
        raise refused("exercise_not_suitable", language)
    exercise = _exercise(action.slug, state)
    run = OpenRun(new_id(), action.slug, situation.now, Walk.begin(exercise, situation.now))
    return Reply(
        "interactive",
        exercise.summary.get(language),
        tuple(_elements.start(exercise, language)),
        effects=(StartRun(run, state.player_id, situation.session.id),),
    )


def _go(situation: Situation, action: ExerciseAction) -> Reply:
    """One step on or back; after a pause first of all to where it was left. The first one asks for the mood."""
    run = _under_way(situation, action)
    walk, now, language = run.walk, situation.now, situation.language
    if walk.step is not None and _has_paused(situation, walk):
        return _shown(situation, run.walked(walk.resume(now)), "resumed")
    reply = _shown(situation, run.walked(walk.next(now) if action.verb == "next" else walk.back(now)), "step")
    exercise = CATALOGUE[action.slug]
    if walk.step is not None or walk.mood_before is not None or not exercise.rates_mood:
        return reply
    buttons = _elements.mood_buttons(exercise, "before", language)
    text = f"{reply.text} {_SAID[language]['how_before']}"
    return replace(reply, text=text, elements=(*reply.elements, *buttons))


def _shown(situation: Situation, run: OpenRun, said: str) -> Reply:
    """The step at which the run now is."""
    exercise, language = _exercise(run.exercise, situation.state), situation.language
    index = min(run.walk.step or 0, len(exercise.steps) - 1)  # the catalogue may have changed since the start
    return Reply(
        "interactive",
        _SAID[language][said].format(step=index + 1, steps=len(exercise.steps)),
        tuple(_elements.step(exercise, index, language)),
        effects=(SaveWalk(run),),
    )


def _has_paused(situation: Situation, walk: Walk) -> bool:
    """So long, or for such a reason, that what the player writes is no longer meant for the walk."""
    in_danger = situation.state.talked_of_danger_at
    is_interrupted = in_danger is not None and in_danger >= walk.touched_at
    return is_interrupted or situation.now - walk.touched_at > WORDS_WITHIN


# --- writing -----------------------------------------------------------------------------------------


def take_words(situation: Situation, incoming: UserMessage) -> Reply | None:
    """What a player writes for the worksheet they are at; None if it is conversation, or danger."""
    state, assessment = situation.state, situation.assessment
    run = max(state.open_runs.values(), key=lambda run: run.walk.touched_at, default=None)
    if run is None or run.walk.asks_for is None or _has_paused(situation, run.walk):
        return None
    if assessment.is_crisis or not (state.episode is None or state.episode.is_over):
        return None
    run = run.walked(run.walk.answer(incoming.content.text, situation.now))
    reply = _written_out(situation, run) if run.walk.has_all_words else _shown(situation, run, "kept")
    metadata = {"safety": safety(assessment), "recommendations": [], "engine": WORKSHEET_ENGINE}
    return replace(reply, metadata=metadata)


def _written_out(situation: Situation, run: OpenRun) -> Reply:
    language = situation.language
    closing = tuple(_elements.completion(CATALOGUE[run.exercise], language))
    return Reply("interactive", _SAID[language]["all_words"], closing, effects=(SaveWalk(run),))


# --- ending ------------------------------------------------------------------------------------------


def _complete(situation: Situation, run: OpenRun) -> Reply:
    state, language, now = situation.state, situation.language, situation.now
    run = run.walked(run.walk.complete(now))
    walk = run.walk
    markers = _progress.completed(CompletedRun.of(run, now), state, situation.session.id, language)
    is_plan = run.exercise == SAFETY_PLAN and bool(walk.answers)
    text = _SAID[language]["completed_plan" if is_plan else "completed"]
    buttons = _moods_after(walk, language)
    return Reply(
        "interactive",
        f"{text} {_SAID[language]['how_after']}" if buttons else text,
        (*map(_shown_marker, markers), *buttons),
        effects=(
            EndRun(run, ExerciseRun.Outcome.COMPLETED, now),
            *(RecordMarker(state.player_id, marker) for marker in markers),
            NoteExperience.completed(run.exercise, walk.mood_before, walk.mood_after),
        ),
    )


def _moods_after(walk: Walk, language: Language) -> tuple[Element, ...]:
    """For whoever walked or rated before, so that clients that know but one button get no others."""
    exercise = CATALOGUE[walk.slug]
    wants_more = walk.step is not None or walk.mood_before is not None
    if not (exercise.rates_mood and wants_more and walk.mood_after is None):
        return ()
    return tuple(_elements.mood_buttons(exercise, "after", language))


def _shown_marker(marker: Marker) -> Element:
    return _elements.progress(
        str(marker.marker_id), marker.description, marker.marker_type, marker.therapeutic_value
    )


def _stop(situation: Situation, run: OpenRun) -> Reply:
    run = run.walked(run.walk.stop(situation.now))
    return Reply(
        "interactive",
        _SAID[situation.language]["stopped"],
        effects=(
            EndRun(run, ExerciseRun.Outcome.STOPPED, situation.now),
            NoteExperience.stopped(run.exercise),
        ),
    )


# --- rating ------------------------------------------------------------------------------------------


def _rate(situation: Situation, action: ExerciseAction) -> Reply:
    state, language = situation.state, situation.language
    if not CATALOGUE[action.slug].rates_mood:
        raise refused("unknown_element", language)
    run = state.open_runs.get(action.slug)
    if run is None and action.verb == "after" and state.completions.get(action.slug):
        return _rate_completed(situation, action)
    run = _under_way(situation, action)
    walk = run.walk.rate("after" if action.verb == "after" else "before", action.value or 0)
    return Reply("interactive", _noted(walk, action, language), effects=(SaveWalk(run.walked(walk)),))


def _rate_completed(situation: Situation, action: ExerciseAction) -> Reply:
    """How it was afterwards: the marker's value follows it, once, and a hard week may be overcome by it."""
    state, language, now = situation.state, situation.language, situation.now
    run = state.unrated.get(action.slug)
    if run is None or now - run.walk.touched_at > RATED_WITHIN:
        raise refused("rating_closed", language)
    run = run.walked(run.walk.rate("after", action.value or 0))
    walk = run.walk
    done = CompletedRun.of(run, walk.touched_at)
    markers = _progress.rated(done, state, situation.session.id, now, language)
    return Reply(
        "interactive",
        _noted(walk, action, language),
        tuple(map(_shown_marker, markers)),
        effects=(
            RateRun(run, state.player_id),
            *(RecordMarker(state.player_id, marker) for marker in markers),
            NoteExperience.moved(run.exercise, walk.mood_before, walk.mood_after),
        ),
    )


def _noted(walk: Walk, action: ExerciseAction, language: Language) -> str:
    is_compared = action.verb == "after" and walk.mood_before is not None
    said = _SAID[language]["rated_after" if is_compared else "rated"]
    return said.format(mood=action.value, before=walk.mood_before)


# --- the safety plan ---------------------------------------------------------------------------------


def safety_plan(state: PlayerState) -> tuple[Element, ...]:
    """The player's own plan, for a crisis; empty where there is none. Whatever happens, it stands in nobody's way."""
    try:
        return (_plan(state.safety_plan, state.settings.language),) if state.safety_plan else ()
    except Exception as error:
        log.error("safety_plan_not_shown", player_id=str(state.player_id), exc_info=error)
        return ()


def _plan(words: dict[str, str], language: Language) -> Instruction:
    asked = CATALOGUE[SAFETY_PLAN].localized(language).steps
    lines = [f"{step.prompt} {words[step.field]}" for step in asked if step.field in words]
    title = _SAID[language]["plan_title"]
    return Instruction(
        id=SAFETY_PLAN,
        label="\n".join([f"{title}.", *lines]),
        title=title,
        steps=[Step(text=line, seconds=0) for line in lines],
        duration_seconds=0,
    )
