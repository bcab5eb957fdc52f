"""What a message is about: topics, feelings, people, cues and acts, found in one pass of the lexicon's automaton."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from .base import Utterance
from .lexicon import Entry, Lexicon
from .wording import excerpt, normalize

#: How many lines' impressions are kept between turns; by hash, so that no words are.
REMEMBERED_LINES = 16_384
_MARKS = '.,;:!?…"“”()[]{}*¡¿'

#: A death and a person so many characters apart belong together ("my mother died", "lost my mother").
NEAR = 12

#: A possessive takes at most so many words with it ("my math exam").
THING_WORDS = 3


@dataclass(slots=True)
class Impression:
    """What one message holds. `order` says which topic came up where, for what lies nearest to the end."""

    topics: dict[str, float] = field(default_factory=dict)
    facets: list[Entry] = field(default_factory=list)
    feelings: list[Entry] = field(default_factory=list)
    cues: list[Entry] = field(default_factory=list)
    people: list[Entry] = field(default_factory=list)
    acts: list[Entry] = field(default_factory=list)
    signs: set[str] = field(default_factory=set)
    lost: str = ""
    length: int = 0

    @property
    def is_plain(self) -> bool:
        """Nothing in it that one could reflect."""
        return not (self.topics or self.facets or self.feelings or self.cues or self.people)


def listen(lexicon: Lexicon, text: str) -> Impression:
    return impression_of(lexicon, normalize(excerpt(text)))


def impression_of(lexicon: Lexicon, normalized: str) -> Impression:
    heard = Impression(length=normalized.count(" ") - 1)
    person, person_end, death_end = "", -99, -99
    for end, (length, entries) in lexicon.automaton.iter(normalized):
        start = end - length + 1
        for entry in entries:
            kind = entry.kind
            if kind == "topic":
                heard.topics[entry.name] = heard.topics.get(entry.name, 0.0) + entry.weight
                if entry.name == "grief":
                    death_end = end
                    if not heard.lost and start - person_end < NEAR:
                        heard.lost = person
            elif kind == "facet":
                heard.facets.append(entry)
            elif kind == "person":
                if entry not in heard.people:
                    heard.people.append(entry)
                person, person_end = entry.label, end
                if not heard.lost and start - death_end < NEAR:
                    heard.lost = person
            elif kind == "sign":
                if not _is_denied(lexicon, normalized, start):
                    heard.signs.add(entry.name)
            elif kind == "act":
                heard.acts.append(entry)
            elif kind == "feeling":
                if not _is_denied(lexicon, normalized, start):
                    heard.feelings.append(entry)
            else:
                heard.cues.append(entry)
    return heard


def _is_denied(lexicon: Lexicon, normalized: str, start: int) -> bool:
    return normalized[max(0, start - 20) : start + 1].endswith(lexicon.words["denials"])


class Memory:
    """Impressions of lines already heard, so that a conversation is not read anew each turn. Holds hashes, no words."""

    def __init__(self, lexicon: Lexicon, capacity: int = REMEMBERED_LINES) -> None:
        self._lexicon, self._capacity = lexicon, capacity
        self._known: OrderedDict[int, Impression] = OrderedDict()

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
    """The conversation so far, as far as `recent` reaches."""

    said: str = ""
    last_said: tuple[str, ...] = ()
    turns: int = 0
    topics: dict[str, int] = field(default_factory=dict)  # name -> the turn that last spoke of it
    people: dict[str, int] = field(default_factory=dict)
    signs: dict[str, int] = field(default_factory=dict)
    acts: dict[str, int] = field(default_factory=dict)
    lost: str = ""

    @property
    def focus(self) -> str:
        """What the conversation was about last."""
        return max(self.topics, key=self.topics.__getitem__, default="")


def follow(memory: Memory, recent: tuple[Utterance, ...]) -> Thread:
    thread, said = Thread(), []
    for line in recent:
        if line.speaker == "companion":
            said.append(line.text)
            continue
        thread.turns += 1
        heard = memory.recall(line.text)
        for name in heard.topics:
            thread.topics[name] = thread.turns
        for person in heard.people:
            thread.people[person.label] = thread.turns
        for name in heard.signs:
            thread.signs[name] = thread.turns
        for act in heard.acts:
            thread.acts[act.name] = thread.turns
        thread.lost = heard.lost or thread.lost
    thread.said, thread.last_said = "\n".join(said), tuple(said[-5:])
    return thread


def possession(lexicon: Lexicon, text: str) -> str:
    """'your math exam' from "… my math exam is …"; empty where one can't be sure of the words after the possessive."""
    words = excerpt(text).split()
    for i, word in enumerate(words):
        turned = lexicon.possessives.get(word.lower())
        taken = _noun(lexicon, words[i + 1 : i + 2 + THING_WORDS]) if turned else []
        if 0 < len(taken) <= THING_WORDS:
            return f"{turned} {' '.join(taken)}"
    return ""


def _noun(lexicon: Lexicon, words: list[str]) -> list[str]:
    taken: list[str] = []
    for word in words:
        bare = word.strip(_MARKS)
        folded = normalize(bare).strip()
        if folded in lexicon.unfit or (bare and not bare.isalpha()):
            return []
        if folded in lexicon.boundaries or not bare:
            return taken
        taken.append(bare if bare.istitle() else bare.lower())
        if word[-1] in _MARKS:
            return taken
    return taken
