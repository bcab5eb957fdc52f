"""The conversation so far: what the player spoke of, how strongly, and what was already said to them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from .base import Utterance
from .lexicon import Lexicon
from .listening import Impression, listen

#: How many lines' impressions are kept between turns; by hash, so that no words are.
REMEMBERED_LINES = 16_384
#: A topic loses this share of its strength with each turn that does not speak of it.
FADING = 0.85
#: What a detail adds to a topic that is already under way.
DETAIL = 0.7
#: What it adds that the companion spoke of a topic.
VOICED = 0.4
#: Companion lines that are looked at for what was offered, summed up, or told of the story lately.
LATELY = 8


class Memory:
    """Impressions of lines already heard, so that a conversation is not read anew each turn. Holds hashes, no words."""

    def __init__(self, lexicon: Lexicon, capacity: int = REMEMBERED_LINES) -> None:
        self._lexicon, self._capacity = lexicon, capacity
        self._known: OrderedDict[int, Impression] = OrderedDict()
        self._voiced: dict[int, frozenset[str]] = {}

    def voiced(self, text: str) -> frozenset[str]:
        """The topics of a line that the companion said."""
        key = hash(text)
        known = self._voiced.get(key)
        if known is None:
            found = frozenset(name for _, names in self._lexicon.voices.iter(text) for name in names)
            if len(self._voiced) >= self._capacity:
                self._voiced.clear()
            known = self._voiced[key] = found
        return known

    def recall(self, text: str) -> Impression:
        key = hash(text)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = listen(self._lexicon, text)
            if len(self._known) > self._capacity:
                self._known.popitem(last=False)
        return known


@dataclass(slots=True)
class Thread:
    """`topics` holds strengths; `people`, `signs` and `acts` the turn in which each was last heard."""

    turns: int = 0
    topics: dict[str, float] = field(default_factory=dict)
    named: dict[str, int] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)
    signs: dict[str, int] = field(default_factory=dict)
    acts: dict[str, int] = field(default_factory=dict)
    lost: str = ""
    said: str = ""
    lately: tuple[str, ...] = ()

    def since(self, heard_at: dict[str, int], name: str) -> int:
        """Turns since `name` was heard; a large number where it never was."""
        return self.turns - heard_at.get(name, -1000)

    def speaks(self, marks: tuple[str, ...], lines: int) -> bool:
        """Whether one of the companion's last lines holds one of these mark words."""
        said = "\n".join(self.lately[-lines:]).lower()
        return any(mark in said for mark in marks)

    def add(self, heard: Impression) -> None:
        self.turns += 1
        topics, turns = self.topics, self.turns
        for name in topics:
            topics[name] *= FADING
        for name, weight in heard.topics.items():
            topics[name] = topics.get(name, 0.0) + weight
            self.named[name] = turns
        for facet in heard.facets:
            if facet.parent in topics:
                topics[facet.parent] += DETAIL
                self.named[facet.parent] = turns
        for person in heard.people:
            self.people[person.label] = turns
        for sign in heard.signs:
            self.signs[sign] = turns
        for act in heard.acts:
            self.acts[act.name] = turns
        self.lost = heard.lost or self.lost

    def echo(self, voiced: frozenset[str]) -> None:
        """What the companion took up stays under way, even when the line that began it is too long ago to be seen."""
        for name in voiced:
            if name == "child":
                self.signs[name] = self.turns
            else:
                self.topics[name] = self.topics.get(name, 0.0) + VOICED
                self.named.setdefault(name, self.turns)


def follow(memory: Memory, recent: tuple[Utterance, ...]) -> Thread:
    thread, said = Thread(), []
    for line in recent:
        if line.speaker == "companion":
            said.append(line.text)
            thread.echo(memory.voiced(line.text))
        else:
            thread.add(memory.recall(line.text))
    thread.said, thread.lately = "\n".join(said), tuple(said[-LATELY:])
    return thread
