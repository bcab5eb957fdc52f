"""The conversation so far: what the player spoke of, how strongly, and what was already said to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .base import Utterance
from .lexicon import LINKED, NAMED_ADULT, OFFERED, SUMMED_UP, TOLD_STORY, Lexicon
from .listening import Impression, listen
from .wording import READ_BEFORE

#: How many lines' impressions are kept between turns; by hash, so that no words are.
REMEMBERED_LINES = 16_384
#: A topic loses this share of its strength with each turn that does not speak of it.
FADING = 0.85
_GROWTH = tuple(FADING**-turn for turn in range(64))
#: What a detail adds to a topic that is already under way.
DETAIL = 0.7
#: What it adds that the companion spoke of a topic.
VOICED = 0.4
_BOOST = tuple(VOICED * growth for growth in _GROWTH)
#: Characters of a companion's line that are looked at; the engine's own never reach it.
READ_OF_COMPANION = 400
#: Lines in which nothing is repeated, and those of them whose matter counts: what is older lives on in `echo`.
RECENT_LINES, HEARD_LINES = 24, 8


_SIGNS = frozenset({"child", "no_exercises", OFFERED, SUMMED_UP, LINKED, NAMED_ADULT, TOLD_STORY})

#: What is kept of a player's line: topics with weights, topics of details, people, signs, acts, whom they lost.
Trace = tuple[
    tuple[tuple[str, float], ...],
    tuple[str, ...],
    tuple[str, ...],
    tuple[str, ...],
    tuple[str, ...],
    str,
]
#: What is kept of a companion's line: the sentences in it, by their parts; what they did; the topics they spoke of.
Voiced = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


class Memory:
    """Traces of lines already heard, so that a conversation is not read anew each turn. Holds hashes, no words."""

    def __init__(self, lexicon: Lexicon, capacity: int = REMEMBERED_LINES) -> None:
        self._lexicon, self._capacity = lexicon, capacity
        self.traces: dict[int, Trace] = {}
        self.voiced: dict[int, Voiced] = {}

    def trace(self, text: str) -> Trace:
        """Read a player's line."""
        self._make_room(self.traces)
        trace = self.traces[hash(text)] = _trace(listen(self._lexicon, text, READ_BEFORE)[1])
        return trace

    def voice(self, text: str) -> Voiced:
        """Find the sentences that a line of the companion was made of."""
        self._make_room(self.voiced)
        found = [value for _, value in self._lexicon.voices.iter(text[:READ_OF_COMPANION])]
        kinds = dict.fromkeys(kind for _, kinds in found for kind in kinds)
        voiced = self.voiced[hash(text)] = (
            tuple(part for part, _ in found),
            tuple(kind for kind in kinds if kind in _SIGNS),
            tuple(kind for kind in kinds if kind not in _SIGNS),
        )
        return voiced

    def _make_room(self, known: dict[int, Any]) -> None:
        if len(known) >= self._capacity:
            known.pop(next(iter(known)))


NOTHING: Trace = ((), (), (), (), (), "")


def _trace(heard: Impression) -> Trace:
    trace = (
        tuple(heard.topics.items()),
        tuple(facet.parent for facet in heard.facets),
        tuple(dict.fromkeys(person.label for person in heard.people)),
        tuple(heard.signs),
        tuple(dict.fromkeys(act.name for act in heard.acts)),
        heard.lost,
    )
    return NOTHING if trace == NOTHING else trace


@dataclass(slots=True)
class Thread:
    """`topics` holds strengths, to be read through `strength`; `named`, `people`, `signs` and `acts` the turn in which each was last heard or said."""

    turns: int = 0
    topics: dict[str, float] = field(default_factory=dict)
    named: dict[str, int] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)
    signs: dict[str, int] = field(default_factory=dict)
    acts: dict[str, int] = field(default_factory=dict)
    lost: str = ""
    said: set[str] = field(default_factory=set)  # parts of the lexicon's sentences
    lines: list[str] = field(default_factory=list)  # the companion's, oldest first

    def since(self, heard_at: dict[str, int], name: str) -> int:
        """Turns since `name` was heard; a large number where it never was."""
        return self.turns - heard_at.get(name, -1000)

    def names(self, name: str) -> bool:
        """Whether the companion has spoken this name (of a character, a world, an exercise)."""
        return any(name in line for line in self.lines)

    def add(self, trace: Trace) -> None:
        """What the player said; newer words weigh more (see `strength`)."""
        self.turns += 1
        if trace is NOTHING:
            return
        turns, topics = self.turns, self.topics
        topics_heard, details, people, signs, acts, lost = trace
        if topics_heard:
            for name, weight in topics_heard:
                topics[name] = topics.get(name, 0.0) + weight * _GROWTH[turns]
                self.named[name] = turns
        for name in details:
            if name in topics:
                topics[name] += DETAIL * _GROWTH[turns]
                self.named[name] = turns
        for label in people:
            self.people[label] = turns
        for sign in signs:
            self.signs[sign] = turns
        for act in acts:
            self.acts[act] = turns
        if lost:
            self.lost = lost

    def echo(self, signs: tuple[str, ...], topics: tuple[str, ...]) -> None:
        """What the companion took up stays under way, even when the line that began it is too long ago to be seen."""
        turns = self.turns
        for name in signs:
            self.signs[name] = turns
        for name in topics:
            self.topics[name] = self.topics.get(name, 0.0) + _BOOST[turns]
            self.named.setdefault(name, turns)

    def strength(self, topic: str) -> float:
        """Today's strength: what was heard in this very moment counts whole."""
        return self.topics.get(topic, 0.0) / _GROWTH[self.turns]


def follow(memory: Memory, recent: tuple[Utterance, ...]) -> Thread:
    thread = Thread()
    within = recent[-RECENT_LINES:]
    older = len(within) - HEARD_LINES
    lines = thread.lines
    voiced, traces = (
        memory.voiced,
        memory.traces,
    )  # looked up here first: a hit is the rule, and a call costs more
    sentences: list[tuple[str, ...]] = []
    for i, line in enumerate(within):
        text = line.text
        if line.speaker == "companion":
            parts, signs, topics = voiced.get(hash(text)) or memory.voice(text)
            lines.append(text)
            sentences.append(parts)
            if signs or topics:
                thread.echo(signs, topics)
        elif i < older:
            thread.turns += 1
        else:
            thread.add(traces.get(hash(text)) or memory.trace(text))
    thread.said.update(*sentences)
    return thread
