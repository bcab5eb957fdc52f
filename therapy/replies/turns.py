"""What kind of answer a turn asks for, in the order in which it is decided.

Motivational interviewing's OARS is the frame: open questions, affirmations, reflections, summaries
(Miller and Rollnick, 4th edition, 2023). An act (a greeting, a test, a question about the program) has an
answer of its own; whatever else comes is reflected, and then `leading` goes on from there.
"""

from __future__ import annotations

import re

from .leading import lead_on, may_ask, offer_calm, offer_step, questions_unwelcome
from .lexicon import TOLD_STORY, Entry, Pool
from .listening import possession
from .story import voice
from .turn import Turn

LONG = 1_500
#: Turns between two sentences of the story.
STORY_GAP = 6
#: Acts of this weight are answered whatever else the message holds.
FIRM = 2.0
#: A topic of this weight is met as such when it first comes up, before any detail of it.
GRAVE = 1.85
#: A topic of this weight or less (a pet, a walk) comes after whatever else the message holds.
LIGHT = 1.0
#: A detail of the topic counts for more than most feelings, and for less than a deed, a plan or a secret.
DETAIL = 1.22

_NOISE = re.compile(r"^(?:[^aeiouy\W]{3,}|.*[bcdfghjklmnpqrstvwxz]{5,}.*|(.)\1*|\d{2,})$")
_CODE = re.compile(r"\{\{|</?\w+>|';|--\s*$|\$\{|</")


def answer(turn: Turn) -> None:
    turn.settle()
    act = find_act(turn)
    turn.composer.may_ask = not questions_unwelcome(turn)
    if turn.request.character_id or turn.request.world_id:
        _tell_story(turn)
    if act:
        _answer_act(turn, act)
    else:
        _reflect(turn)
    if turn.is_anxious:
        offer_calm(turn)
    if turn.request.is_low:
        turn.composer.may_ask = True
        turn.composer.say(turn.moves("low_questions"))
    elif not act:
        lead_on(turn)
    if not turn.composer.parts:
        turn.composer.say_oldest(turn.lexicon.moves["reflections"], turn.thread.lines)


# --- acts: what calls for an answer of its own ------------------------------------------------------


def find_act(turn: Turn) -> Entry | None:
    """The weightiest act that applies. A soft one gives way to whatever can be reflected."""
    heard, spoken = turn.heard, turn.spoken
    whole = turn.lexicon.whole.get(turn.composer.words.strip())
    if whole is not None:
        return whole
    for act in sorted(heard.acts, key=_weight, reverse=True) if heard.acts else ():
        if act.max_words and len(spoken) > act.max_words:
            continue
        if act.weight >= FIRM or heard.is_plain:
            return act
    return _unspoken_act(turn) if heard.is_plain else None


def _unspoken_act(turn: Turn) -> Entry | None:
    """Acts that no keyword tells: the same again, silence, noise, another language."""
    entries, text, spoken = turn.lexicon.entries, turn.request.text, turn.spoken
    letters = [letter for letter in text[:200] if letter.isalpha()]
    if not letters and not spoken:
        return entries["silence"]
    if not letters and any(ord(character) > 0x2100 for character in text[:200]):
        return entries["picture"]
    if _CODE.search(text[:400]):
        return entries["noise"]
    if letters and _is_foreign(turn, letters):
        return entries["foreign"]
    if len(spoken) <= 3 and not turn.lexicon.common.intersection(spoken):
        if all(_NOISE.match(word) for word in spoken):
            return entries["noise"]
        return entries["brief"] if turn.thread.turns and not turn.facets else None
    return None


def _is_foreign(turn: Turn, letters: list[str]) -> bool:
    if sum(letter > "ɏ" for letter in letters) * 2 > len(letters):
        return True
    foreign, common = turn.lexicon.foreign, turn.lexicon.common
    return len(foreign.intersection(turn.spoken)) > 1 >= len(common.intersection(turn.spoken))


def _answer_act(turn: Turn, act: Entry) -> None:
    composer = turn.composer
    is_again = act.name in turn.thread.acts
    child = act.child if turn.is_child else ()
    composer.say(
        child, act.again if is_again else (), act.reflections, act.again, turn.lexicon.moves["again"]
    )
    if act.steps and not turn.is_anxious:
        offer_step(turn, act.steps, turn.focus.steps if turn.focus else ())
    if turn.is_child:
        composer.say(act.child_questions)
    elif not turn.request.is_low and may_ask(turn):
        composer.say(act.questions)


# --- reflections ------------------------------------------------------------------------------------


def _reflect(turn: Turn) -> None:
    composer = turn.composer
    if _is_repeated(turn):
        composer.say(turn.moves("repeated"))
        return
    if len(turn.request.text) > LONG:
        composer.say(turn.moves("long"))
    for entry in _found(turn):
        if composer.say(*_words_for(turn, entry)):
            turn.source = entry
            return
    composer.say(*_general(turn))


def _words_for(turn: Turn, entry: Entry) -> tuple[Pool, ...]:
    if turn.is_child:
        return (entry.child,)
    is_first = entry.name not in turn.thread.named
    return (entry.openings if is_first else (), entry.reflections)


def _found(turn: Turn) -> list[Entry]:
    """What was heard, from the most particular to the most general; a grave topic first when it is new."""
    heard, named = turn.heard, turn.named
    details = [*turn.facets, *heard.feelings, *heard.cues]
    if len(details) > 1:
        details = sorted(dict.fromkeys(details), key=_weight, reverse=True)
    if named is None:
        return details
    is_new = turn.thread.since(turn.thread.named, named.name) > 3
    if is_new and named.weight >= GRAVE:
        return [named, *details]
    if is_new and named.weight > LIGHT:
        return [*turn.facets, named, *details]
    return [*details, named]


def _weight(entry: Entry) -> float:
    return DETAIL if entry.kind == "facet" else entry.weight


def _general(turn: Turn) -> list[Pool]:
    """For what no entry tells: a detail of the player's own, else a plain sign of having read it."""
    if turn.is_child:
        return [turn.moves("reflections"), turn.moves("invitations")]
    pools: list[Pool] = [turn.moves("asked") if turn.request.text.rstrip().endswith("?") else ()]
    thing = possession(turn.lexicon, turn.request.text)
    if thing and not turn.thread.names(thing):
        turn.composer.fill(thing=thing)
        pools.append(turn.moves("things"))
    if turn.heard.people:
        pools.append(turn.moves("people"))
    return [*pools, turn.moves("reflections"), turn.moves("invitations")]


def _is_repeated(turn: Turn) -> bool:
    for line in reversed(turn.request.recent):
        if line.speaker == "player":
            return line.text == turn.request.text
    return False


# --- the story --------------------------------------------------------------------------------------


def _tell_story(turn: Turn) -> None:
    """Name character and world when they are new to the conversation, and let the world speak now and then."""
    request, moves, composer = turn.request, turn.lexicon.moves, turn.composer
    names = [composer.slot(name) for name in ("character", "world")]
    general = (moves["story_world"] if names[1] else ()) + (moves["story_character"] if names[0] else ())
    if any(name and not turn.thread.names(name) for name in names):
        composer.say(moves["story_both"] if all(names) else (), general)
        return
    if turn.thread.since(turn.thread.signs, TOLD_STORY) >= STORY_GAP:
        scenes = voice(turn.lexicon, request.world_id)
        composer.say(scenes if composer.chance(2) else (), general, scenes)
