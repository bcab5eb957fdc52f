"""What the embedded engine knows: words it recognizes and sentences it can say, one folder of TOML per language.

Every sentence is a `Line`, which knows what it needs to be told (its slots) and by which of its parts it is
recognized when it was said before. `loading` reads them from their files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["topic", "facet", "feeling", "cue", "person", "act", "sign", "self", "other", "stretched"]
Pool = tuple["Line", ...]

SLOTS = frozenset({"person", "thing", "lost", "earlier", "first", "second", "character", "world", "exercise"})


OFFERED, SUMMED_UP, LINKED, NAMED_ADULT, TOLD_STORY = (
    "offered",
    "summed_up",
    "linked",
    "named_adult",
    "told_story",
)


class LexiconError(Exception):
    """A phrase file is wrong; the message names file and entry."""


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence or two. `part` is its longest piece without slots; `runs` its runs of five words, normalized."""

    text: str
    slots: frozenset[str]
    part: str
    runs: tuple[str, ...]
    offer: str | None = None
    is_question: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """Something that can be heard, and what can be said to it."""

    name: str
    kind: Kind
    weight: float = 1.0
    label: str = ""
    parent: str = ""
    max_words: int = 0
    is_bright: bool = False  # no moment for an exercise: something was achieved, told, remembered
    is_personal: bool = False  # speaks of somebody already, so that a summary need not name them as well
    yields_to: tuple[str, ...] = ()  # topics that this one is part of while they are under way
    openings: Pool = ()  # for a topic that comes up for the first time
    reflections: Pool = ()
    questions: Pool = ()
    affirmations: Pool = ()
    again: Pool = ()  # for an act that came before
    steps: Pool = ()
    child: Pool = ()
    child_questions: Pool = ()

    @property
    def pools(self) -> tuple[Pool, ...]:
        """All but what is said to children."""
        return (self.openings, self.reflections, self.questions, self.affirmations, self.again, self.steps)


@dataclass(slots=True)
class Lexicon:
    """All of one language. `automaton` finds keywords, `whole` knows entire messages (ok, hello, no idea)."""

    language: str
    entries: dict[str, Entry] = field(default_factory=dict)
    whole: dict[str, Entry] = field(default_factory=dict)
    moves: dict[str, Pool] = field(default_factory=dict)
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    possessives: dict[str, str] = field(default_factory=dict)
    boundaries: frozenset[str] = frozenset()
    unfit: frozenset[str] = frozenset()
    predicating: frozenset[str] = frozenset()
    common: frozenset[str] = frozenset()
    foreign: frozenset[str] = frozenset()
    exercises: dict[str, str] = field(default_factory=dict)
    worlds: list[tuple[tuple[str, ...], Pool]] = field(default_factory=list)
    automaton: Any = None
    voices: Any = None  # finds in what was said the sentences of this lexicon, and what they were about
