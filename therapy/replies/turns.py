"""What kind of answer a turn asks for, in the order in which it is decided.

Motivational interviewing's OARS is the frame: open questions, affirmations, reflections, summaries
(Miller and Rollnick, 4th edition, 2023). Reflections come first, questions in about half of the turns,
a small step now and then, and never advice each time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .base import ReplyRequest
from .composing import Composer
from .lexicon import Entry, Lexicon, Pool
from .listening import Impression, Thread
from .story import voice

CALMING = ("breathing", "grounding")
#: Turns before an exercise is offered unasked, and between two such offers. Anxious words don't wait.
STEP_AFTER = {"low": 7, "medium": 5, "high": 3}
#: A topic stays the matter at hand for so many turns after it was last named.
STAYS = 5
SUMMARY_AFTER = 6
LONG = 1500
#: A topic of this weight is met as such when it first comes up, before any detail of it.
GRAVE = 1.5
FIRM = 2.0

_NOISE = re.compile(r"^(?:[^aeiouy\W]{3,}|.*[bcdfghjklmnpqrstvwxz]{5,}.*|(.)\1*)$")


@dataclass(slots=True)
class Turn:
    request: ReplyRequest
    lexicon: Lexicon
    heard: Impression
    thread: Thread
    composer: Composer
    words: list[str]
    focus: Entry | None = None
    facets: list[Entry] = field(default_factory=list)

    @property
    def themes(self) -> tuple[str, ...]:
        heard = self.heard
        topics = sorted(heard.topics, key=heard.topics.__getitem__, reverse=True)
        return (*topics, *dict.fromkeys(feeling.name for feeling in heard.feelings))

    @property
    def is_child(self) -> bool:
        return "child" in self.heard.signs or "child" in self.thread.signs

    @property
    def is_anxious(self) -> bool:
        return "anxious" in self.heard.signs

    def moves(self, name: str) -> Pool:
        """A pool of the moves; a child gets the child's version where there is one."""
        moves = self.lexicon.moves
        if self.is_child:
            return moves.get(f"child_{name}", ()) or moves[name]
        return moves[name]


def answer(turn: Turn) -> None:
    _settle_focus(turn)
    act = _act(turn)
    _tell_story(turn)
    if act:
        _answer_act(turn, act)
    else:
        _reflect(turn)
    if turn.is_anxious:
        _offer_calm(turn)
    if turn.request.is_low:
        turn.composer.say(turn.moves("low_questions"))
    elif not act:
        _lead_on(turn)
    if not turn.composer.parts:
        turn.composer.say_oldest(turn.lexicon.moves["reflections"])


def _settle_focus(turn: Turn) -> None:
    """The topic this turn is about: what was named now, helped by what the conversation was about before."""
    heard, thread, entries = turn.heard, turn.thread, turn.lexicon.entries
    scores = dict(heard.topics)
    alive = {name for name, at in thread.topics.items() if thread.turns - at < STAYS}
    for facet in heard.facets:
        if facet.parent in heard.topics or facet.parent in alive:
            scores[facet.parent] = scores.get(facet.parent, 0.0) + 1.5 * facet.weight
    for name in scores.keys() & alive:
        scores[name] += 0.5
    chosen = max(scores, key=scores.__getitem__, default="") or (
        thread.focus if thread.focus in alive else ""
    )
    turn.focus = entries[chosen] if chosen else None
    turn.facets = [facet for facet in heard.facets if facet.parent == chosen]


# --- acts: what calls for an answer of its own ------------------------------------------------------


def _act(turn: Turn) -> Entry | None:
    """The first act, in the order of the file, that applies. A soft one gives way to whatever can be reflected."""
    heard, lexicon = turn.heard, turn.lexicon
    whole = lexicon.whole.get(" ".join(word for word in turn.words if word not in ".,"))
    if whole is not None:
        return whole
    for act in sorted(heard.acts, key=lambda entry: -entry.weight):
        if act.max_words and heard.length > act.max_words:
            continue
        if act.weight >= FIRM or heard.is_plain:
            return act
    return _unspoken_act(turn)


def _unspoken_act(turn: Turn) -> Entry | None:
    """Acts that no keyword tells: the same again, silence, noise, another language."""
    heard, entries, text = turn.heard, turn.lexicon.entries, turn.request.text
    if not heard.is_plain:
        return None
    letters = [letter for letter in text[:200] if letter.isalpha()]
    if not letters:
        has_picture = any(ord(character) > 0x2000 and not character.isspace() for character in text[:200])
        return entries["picture" if has_picture and text.strip("… ") else "silence"]
    if _is_foreign(turn, letters):
        return entries["foreign"]
    spoken = [word for word in turn.words if word not in ".,"]
    if len(spoken) <= 3 and not turn.lexicon.common.intersection(spoken):
        if all(_NOISE.match(word) for word in spoken):
            return entries["noise"]
        return entries["brief"] if turn.thread.turns else None
    return None


def _is_foreign(turn: Turn, letters: list[str]) -> bool:
    if sum(letter > "ɏ" for letter in letters) * 2 > len(letters):
        return True
    spoken = set(turn.words)
    return len(spoken & turn.lexicon.foreign) > 1 and not len(spoken & turn.lexicon.common) > 1


def _answer_act(turn: Turn, act: Entry) -> None:
    composer = turn.composer
    composer.say(act.child if turn.is_child else (), act.reflections, turn.lexicon.moves["again"])
    if act.steps and not turn.is_anxious:
        steps = turn.focus.steps if turn.focus else ()
        _offer_step(turn, steps, act.steps)
    if act.questions and not _questions_unwelcome(turn):
        composer.say(act.questions if not turn.is_child else turn.lexicon.moves["child_questions"])


# --- reflections ------------------------------------------------------------------------------------


def _reflect(turn: Turn) -> None:
    if turn.thread.said and turn.request.text == _last_words(turn):
        turn.composer.say(turn.moves("repeated"))
        return
    if len(turn.request.text) > LONG:
        turn.composer.say(turn.moves("long"))
    turn.composer.say(*_reflections(turn), turn.moves("reflections"))


def _reflections(turn: Turn) -> list[Pool]:
    """From the most particular to the most general."""
    heard, focus = turn.heard, turn.focus
    named = [focus] if focus and focus.name in heard.topics else []
    is_new = bool(named) and turn.thread.turns - turn.thread.topics.get(named[0].name, -9) > 2
    opening = named if is_new else []
    if opening and opening[0].weight >= GRAVE:
        found = [*opening, *turn.facets, *heard.feelings, *heard.cues]
    else:
        found = [*turn.facets, *opening, *heard.feelings, *heard.cues, *named]
    if turn.is_child:
        return [entry.child for entry in found]
    pools = [entry.reflections for entry in found]
    if turn.request.text.rstrip().endswith("?"):
        pools.append(turn.moves("asked"))
    return [*pools, turn.moves("things"), turn.moves("people")]


def _last_words(turn: Turn) -> str:
    return next((line.text for line in reversed(turn.request.recent) if line.speaker == "player"), "")


# --- leading on -------------------------------------------------------------------------------------


def _lead_on(turn: Turn) -> None:
    """After a reflection: a step, a summary, a link, a question, an affirmation, or room."""
    composer = turn.composer
    if turn.is_child and not _spoke_of(turn, "adult", 3) and composer.say(turn.lexicon.moves["child_adult"]):
        return
    if _is_step_due(turn) and _offer_step(
        turn, turn.focus.steps if turn.focus else (), turn.moves("steps_any")
    ):
        return
    if _is_summary_due(turn) and _sum_up(turn):
        return
    if _may_ask(turn):
        if composer.chance(4) and _link(turn):
            return
        composer.say(*_questions(turn))
    elif not composer.say(*_affirmations(turn)):
        composer.say(turn.moves("invitations"))


def _may_ask(turn: Turn) -> bool:
    """Not when asked to stop, not a third question in a row, and seldom a second."""
    if _questions_unwelcome(turn):
        return False
    asked = [line.rstrip().endswith("?") for line in turn.thread.last_said[-2:]]
    if asked == [True, True]:
        return False
    return not (asked and asked[-1]) or not turn.composer.chance(3)


def _questions_unwelcome(turn: Turn) -> bool:
    return (
        turn.thread.turns - turn.thread.signs.get("no_questions", -9) < 5
        or "no_questions" in turn.heard.signs
    )


def _questions(turn: Turn) -> list[Pool]:
    found = [*turn.facets, *turn.heard.feelings, *turn.heard.cues, *([turn.focus] if turn.focus else [])]
    if turn.is_child:
        return [*(entry.child_questions for entry in found), turn.moves("questions")]
    return [*(entry.questions for entry in found), turn.moves("questions")]


def _affirmations(turn: Turn) -> list[Pool]:
    if turn.is_child or turn.composer.chance(2):
        return []
    return [entry.affirmations for entry in (*turn.facets, *turn.heard.cues, *turn.heard.feelings)]


def _sum_up(turn: Turn) -> bool:
    labels = [turn.lexicon.entries[name].label for name in turn.thread.topics]
    labels = list(dict.fromkeys(label for label in (*labels, *turn.thread.people) if label))
    if len(labels) < 2:
        return False
    turn.composer.fill(first=labels[-2], second=labels[-1])
    return turn.composer.say(turn.moves("summaries"))


def _link(turn: Turn) -> bool:
    """Back to something from at least three turns ago."""
    thread, entries = turn.thread, turn.lexicon.entries
    old = [entries[name].label for name, at in thread.topics.items() if thread.turns - at >= 3]
    old += [label for label, at in thread.people.items() if thread.turns - at >= 3]
    present = {turn.focus.label} if turn.focus else set()
    label = next((label for label in old if label and label not in present), "")
    if not label or turn.is_child or _spoke_of(turn, "link", 4):
        return False
    turn.composer.fill(earlier=label)
    return turn.composer.say(turn.moves("links"))


def _is_summary_due(turn: Turn) -> bool:
    return turn.thread.turns >= SUMMARY_AFTER and not turn.is_child and not _spoke_of(turn, "summary", 5)


def _spoke_of(turn: Turn, matter: str, turns: int) -> bool:
    """Whether one of the last companion lines holds a mark word of that matter."""
    said = "\n".join(turn.thread.last_said[-turns:]).lower()
    return any(mark in said for mark in turn.lexicon.words[f"{matter}_marks"])


# --- small steps ------------------------------------------------------------------------------------


def _is_step_due(turn: Turn) -> bool:
    if turn.thread.turns < STEP_AFTER[turn.request.intensity] or turn.is_anxious:
        return False
    is_refused = turn.thread.turns - turn.thread.signs.get("no_exercises", -99) < 8
    return not is_refused and not _spoke_of(turn, "offer", 5)


def _offer_step(turn: Turn, *pools: Pool) -> bool:
    composer = turn.composer
    for slug in turn.request.helped_before[:2]:
        name = turn.lexicon.exercises.get(slug)
        if name and name not in turn.thread.said:
            composer.fill(exercise=name)
            if composer.say(turn.moves("helped_before")):
                composer.offers = (slug,)
                return True
    return composer.say(*pools)


def _offer_calm(turn: Turn) -> None:
    recently = _spoke_of(turn, "offer", 3)
    turn.composer.say(turn.moves("calm_again" if recently else "calm"), turn.lexicon.moves["calm_again"])
    turn.composer.offers = CALMING


# --- the story --------------------------------------------------------------------------------------


def _tell_story(turn: Turn) -> None:
    """Name character and world when they are new to the conversation, and let the world speak now and then."""
    request, moves, composer = turn.request, turn.lexicon.moves, turn.composer
    if not request.character_id and not request.world_id:
        return
    names = [composer.slot(name) for name in ("character", "world")]
    general = (moves["story_world"] if names[1] else ()) + (moves["story_character"] if names[0] else ())
    if any(name not in turn.thread.said for name in names if name):
        composer.say(moves["story_both"] if all(names) else (), general)
        return
    scenes = voice(turn.lexicon, request.world_id)
    lately = "\n".join(turn.thread.last_said)
    if not any(line.part in lately for line in (*scenes, *general, *moves["story_both"])):
        composer.say(scenes if composer.chance(2) else (), general, scenes)
