"""What a message is about: topics, feelings, people, cues and acts, found in one pass of the lexicon's automaton."""

from __future__ import annotations

from dataclasses import dataclass, field

from .lexicon import Entry, Lexicon
from .wording import READ_NOW, excerpt, normalize, squeeze

#: A death and a person so many characters apart belong together ("my mother died", "lost my mother").
NEAR = 12
#: A possessive takes at most so many words with it ("my math exam").
THING_WORDS = 2

#: A second word that ends so may be a verb ("my wife sleeps").
_VERBLIKE = ("s", "ed", "ing")
_MARKS = '.,;:!?…"“”()[]{}*¡¿'


@dataclass(slots=True)
class Impression:
    """What one message holds; lists are in the order of the words, and hold an entry once per time it was heard."""

    topics: dict[str, float] = field(default_factory=dict)
    facets: list[Entry] = field(default_factory=list)
    feelings: list[Entry] = field(default_factory=list)
    cues: list[Entry] = field(default_factory=list)
    people: list[Entry] = field(default_factory=list)
    acts: list[Entry] = field(default_factory=list)
    signs: set[str] = field(default_factory=set)
    lost: str = ""
    is_stretched: bool = False  # sooo: to be squeezed and read again

    @property
    def is_plain(self) -> bool:
        """Nothing in it that one could reflect."""
        return not (self.topics or self.feelings or self.cues or self.people)


def listen(lexicon: Lexicon, text: str, ends: tuple[int, int] = READ_NOW) -> tuple[str, Impression]:
    """The text as it was read, and what was heard in it."""
    normalized = normalize(excerpt(text, ends))
    heard = impression_of(lexicon, normalized)
    if heard.is_stretched:
        normalized = squeeze(normalized)
        heard = impression_of(lexicon, normalized)
    return normalized, heard


def impression_of(lexicon: Lexicon, normalized: str) -> Impression:
    heard = Impression()
    person, person_end, death_end, other_end = "", -99, -99, -1
    for end, (length, entries) in lexicon.automaton.iter(normalized):
        start = end - length + 1
        for entry in entries:
            kind = entry.kind  # the most frequent first
            if kind == "facet":
                heard.facets.append(entry)
            elif kind == "self":
                other_end = -1
            elif kind == "cue":
                heard.cues.append(entry)
            elif kind == "other":
                other_end = end
            elif kind == "topic":
                heard.topics[entry.name] = heard.topics.get(entry.name, 0.0) + entry.weight
                if entry.name == "grief":
                    death_end = end
                    if start - person_end < NEAR:
                        heard.lost = heard.lost or person
            elif kind == "person":
                heard.people.append(entry)
                person, person_end, other_end = entry.label, end, end
                if start - death_end < NEAR:
                    heard.lost = heard.lost or person
            elif kind == "act":
                heard.acts.append(entry)
            elif kind == "stretched":
                heard.is_stretched = True
            elif not _is_denied(lexicon, normalized, start):
                if kind == "sign":
                    heard.signs.add(entry.name)
                elif not _is_anothers(normalized, other_end, start):
                    heard.feelings.append(entry)
    return heard


def _is_denied(lexicon: Lexicon, normalized: str, start: int) -> bool:
    return normalized[max(0, start - 20) : start + 1].endswith(lexicon.words["denials"])


def _is_anothers(normalized: str, other_end: int, start: int) -> bool:
    """Whether the sentence speaks of somebody else's feeling ("my mother is tired"), not of the player's."""
    return other_end >= 0 and normalized.find(" . ", other_end, start + 1) < 0


def possession(lexicon: Lexicon, text: str) -> str:
    """'your math exam' from "… my math exam is …"; empty where it is no thing, or one can't be sure.

    "I am a fool", "like a child": what somebody is called is not taken up.
    """
    words = excerpt(text).split()
    for i, word in enumerate(words):
        turned = lexicon.possessives.get(word.lower())
        if not turned or (i and normalize(words[i - 1]).strip() in lexicon.predicating):
            continue
        taken = _noun(lexicon, words[i + 1 : i + 2 + THING_WORDS])
        if len(taken) == 1 or (len(taken) == 2 and not taken[1].endswith(_VERBLIKE)):
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
