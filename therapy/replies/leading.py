"""Going on from a reflection: a small step, a summary, a link to what was said before, a question, or room."""

from __future__ import annotations

from .lexicon import LINKED, NAMED_ADULT, OFFERED, SUMMED_UP, Entry, Pool
from .turn import Turn

CALMING = ("breathing", "grounding")
#: Turns before an exercise is offered unasked. Anxious words don't wait.
STEP_AFTER = {"low": 8, "medium": 6, "high": 4}
#: Turns between two offers unasked, two summaries, two links, two mentions of a trusted adult.
STEP_GAP, SUMMARY_GAP, LINK_GAP, ADULT_GAP = 7, 8, 6, 4
SUMMARY_AFTER = 7
#: Strength from which a topic counts as what the conversation is about.
ESTABLISHED = 2.0
#: A topic of this weight stays in the room.
WEIGHTY = 1.3
#: A player who wants no exercise, or no questions, is left in peace for so many turns.
NO_STEPS_FOR, NO_QUESTIONS_FOR = 10, 4


def lead_on(turn: Turn) -> None:
    composer = turn.composer
    if (
        turn.is_child
        and not _was_said(turn, NAMED_ADULT, ADULT_GAP)
        and composer.say(turn.lexicon.moves["child_adult"])
    ):
        return
    if _is_step_due(turn) and offer_step(turn, turn.focus.steps if turn.focus else ()):
        return
    if _is_summary_due(turn) and _sum_up(turn):
        return
    if may_ask(turn):
        if not (turn.source is None and composer.chance(3) and _link(turn)):
            composer.say(*_questions(turn))
        return
    if not turn.is_child and turn.source and composer.say(turn.source.affirmations):
        return
    if turn.source is None or composer.chance(2):
        composer.say(turn.moves("invitations"))


# --- questions and room -----------------------------------------------------------------------------


def questions_unwelcome(turn: Turn) -> bool:
    asked_to_stop = turn.thread.since(turn.thread.signs, "no_questions") < NO_QUESTIONS_FOR
    return asked_to_stop or "no_questions" in turn.heard.signs


def may_ask(turn: Turn) -> bool:
    """Never a third question in a row; a second one less often the gentler the player wants it."""
    if not turn.composer.may_ask:
        return False
    lines = turn.thread.lines
    if not lines or lines[-1][-1:] != "?":
        return True
    if len(lines) > 1 and lines[-2][-1:] == "?":
        return False
    return turn.request.intensity != "low" and not turn.composer.chance(3)


def _questions(turn: Turn) -> list[Pool]:
    """First those that go with the reflection, so that the answer is of one piece."""
    source, focus = turn.source, turn.focus
    if turn.is_child:
        return [source.child_questions if source else (), turn.moves("questions")]
    topic = focus.questions if focus and (focus is source or _suits(turn, focus)) else ()
    detail = turn.moves("thing_questions") if turn.composer.slot("thing") and turn.composer.chance(2) else ()
    return [source.questions if source else detail, topic, turn.moves("followups"), turn.moves("questions")]


def _suits(turn: Turn, focus: Entry) -> bool:
    """Whether a question on the topic may follow words that did not name it: a light topic is soon over."""
    return focus.weight >= WEIGHTY and turn.composer.chance(3)


# --- summaries and links ----------------------------------------------------------------------------


def _is_summary_due(turn: Turn) -> bool:
    thread = turn.thread
    if turn.is_child or thread.turns < SUMMARY_AFTER or turn.heard.signs & {"no_questions"}:
        return False
    return not _was_said(turn, SUMMED_UP, SUMMARY_GAP) and turn.composer.chance(2)


def _sum_up(turn: Turn) -> bool:
    first = next(iter(_labels(turn, at_least=ESTABLISHED)), "")
    people = () if turn.focus and turn.focus.is_personal else _people(turn)
    others = [label for label in (*_labels(turn, at_least=1.0), *people) if label != first]
    if not first or not others:
        return False
    turn.composer.fill(first=first, second=others[0])
    return turn.composer.say(turn.moves("summaries"))


def _link(turn: Turn) -> bool:
    """Back to something weighty from earlier that is not the matter at hand."""
    if turn.is_child or _was_said(turn, LINKED, LINK_GAP):
        return False
    present = turn.focus.label if turn.focus else ""
    label = next((label for label in _labels(turn, at_least=0.8) if label != present), "")
    if not label:
        return False
    turn.composer.fill(earlier=label)
    return turn.composer.say(turn.moves("links"))


def _labels(turn: Turn, *, at_least: float) -> list[str]:
    """Topics of the conversation by strength; one that has merged into another is not named beside it."""
    entries, thread = turn.lexicon.entries, turn.thread
    kept: list[tuple[float, str]] = []
    for name in thread.topics:
        entry, strength = entries[name], thread.strength(name)
        if strength < at_least or not entry.label or entry.weight < 1.0:
            continue
        if not any(elder in thread.topics for elder in entry.yields_to):
            kept.append((strength, entry.label))
    return [label for _, label in sorted(kept, reverse=True)]


def _people(turn: Turn) -> list[str]:
    people = turn.thread.people
    return sorted(people, key=people.__getitem__, reverse=True)


def _was_said(turn: Turn, move: str, turns: int) -> bool:
    return turn.thread.since(turn.thread.signs, move) < turns


# --- small steps ------------------------------------------------------------------------------------


def _is_step_due(turn: Turn) -> bool:
    """When the matter is established, the player struggles with it in this message, and none was offered lately."""
    thread, focus = turn.thread, turn.focus
    if turn.is_anxious or turn.is_child or focus is None or thread.turns < STEP_AFTER[turn.request.intensity]:
        return False
    if not (turn.heard.cues or turn.heard.feelings) or thread.strength(focus.name) < ESTABLISHED:
        return False
    if any(entry.is_bright for entry in (*turn.heard.cues, *turn.heard.feelings, *turn.facets)):
        return False
    is_refused = thread.since(thread.signs, "no_exercises") < NO_STEPS_FOR
    return not is_refused and not _was_said(turn, OFFERED, STEP_GAP)


def offer_step(turn: Turn, *pools: Pool) -> bool:
    """What helped this player before comes first, then the pools in their order."""
    composer = turn.composer
    for slug in turn.request.helped_before[:2]:
        name = turn.lexicon.exercises.get(slug)
        if name and slug not in turn.request.closed and not turn.thread.names(name):
            composer.fill(exercise=name)
            if composer.say(turn.moves("helped_before")):
                composer.offers = (slug,)
                return True
    return composer.say(*pools)


def offer_calm(turn: Turn) -> None:
    """Breathing and grounding; where breathing is closed to the player, grounding, which is closed to nobody."""
    if "breathing" in turn.request.closed:
        turn.composer.say(turn.moves("calm_grounding"))
        turn.composer.offers = ("grounding",)
        return
    recently = _was_said(turn, OFFERED, 4)
    turn.composer.say(turn.moves("calm_again" if recently else "calm"), turn.lexicon.moves["calm_again"])
    turn.composer.offers = CALMING
