"""Reads a language's phrase files into a `Lexicon`, once, when the engine is built. A mistake in them stops the start."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from typing import Any

import ahocorasick

from .lexicon import (
    LINKED,
    NAMED_ADULT,
    OFFERED,
    SLOTS,
    SUMMED_UP,
    TOLD_STORY,
    Entry,
    Kind,
    Lexicon,
    LexiconError,
    Line,
    Pool,
)
from .wording import normalize

#: Which files hold what; a folder may hold several files of a kind.
_FILES: dict[str, Kind] = {
    "topics": "topic",
    "feelings": "feeling",
    "cues": "cue",
    "acts": "act",
    "signs": "sign",
    "people": "person",
}
#: As long as a run of words may be that a reply shares with the player's message, and one more.
ECHO_WORDS = 5
#: Moves that are made only now and then, by the pools whose sentences show that they were made.
_SPOKEN = {
    OFFERED: ("calm", "calm_again", "calm_grounding", "child_calm", "child_calm_again", "helped_before"),
    SUMMED_UP: ("summaries",),
    LINKED: ("links",),
    NAMED_ADULT: ("child_adult",),
    TOLD_STORY: ("story_both", "story_character", "story_world"),
}


def load(language: str) -> Lexicon:
    folder = files(__package__) / "phrases" / language
    lexicon, found = Lexicon(language), _Keywords()
    names = sorted(path.name for path in folder.iterdir())
    for beginning, kind in _FILES.items():
        for name in names:
            if name.startswith(beginning):
                for key, data in _read(folder / name).items():
                    _add(lexicon, found, key, kind, data)
    _add_moves(lexicon, _read(folder / "moves.toml"))
    _add(lexicon, found, "speaks of self", "self", {"keywords": lexicon.words["self"]})
    _add(lexicon, found, "speaks of another", "other", {"keywords": lexicon.words["other"]})
    _add(lexicon, found, "stretched", "stretched", {})
    for letter in "abcdefghijklmnopqrstuvwxyz":
        found.add_stretched(letter * 3, lexicon.entries["stretched"])
    for data in _read(folder / "worlds.toml")["world"]:
        lexicon.worlds.append((tuple(data["named"]), _pool(data["lines"])))
    lexicon.automaton, lexicon.voices = found.automaton(), _voices(lexicon)
    return lexicon


def _read(path: Any) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise LexiconError(f"{path}: {error}") from error


def _add(
    lexicon: Lexicon, found: _Keywords, name: str, kind: Kind, data: dict[str, Any], parent: str = ""
) -> None:
    if name in lexicon.entries:
        raise LexiconError(f"{lexicon.language}: {name} is there twice")
    entry = Entry(
        name=name,
        kind=kind,
        parent=parent,
        weight=data.get("weight", 1.0),
        label=data.get("label", ""),
        max_words=data.get("max_words", 0),
        is_bright=data.get("is_bright", False),
        is_personal=data.get("is_personal", False),
        yields_to=tuple(data.get("yields_to", ())),
        openings=_pool(data.get("openings", ())),
        reflections=_pool(data.get("reflections", ())),
        again=_pool(data.get("again", ())),
        questions=_pool(data.get("questions", ())),
        affirmations=_pool(data.get("affirmations", ())),
        steps=tuple(_line(step["text"], step["offer"]) for step in data.get("steps", ())),
        child=_pool(data.get("child", ())),
        child_questions=_pool(data.get("child_questions", ())),
    )
    lexicon.entries[name] = entry
    for keyword in data.get("keywords", ()):
        found.add(keyword, entry)
    for message in data.get("whole", ()):
        lexicon.whole[normalize(message).strip()] = entry
    for key, facet in data.get("facets", {}).items():
        _add(lexicon, found, f"{name}.{key}", "facet", facet, parent=name)


def _add_moves(lexicon: Lexicon, data: dict[str, Any]) -> None:
    lexicon.words = {key: tuple(words) for key, words in data.pop("words").items()}
    lexicon.possessives = data.pop("possessives")
    for name in ("boundaries", "unfit", "predicating", "common", "foreign"):
        setattr(lexicon, name, frozenset(lexicon.words[name]))
    lexicon.words["denials"] = tuple(f" {denial} " for denial in lexicon.words["denials"])
    lexicon.exercises = data.pop("exercises")
    lexicon.moves = {key: _pool(lines) for key, lines in data.items()}


def _pool(lines: Any) -> Pool:
    return tuple(_line(text) for text in lines)


def _line(text: str, offer: str | None = None) -> Line:
    pieces = re.split(r"\{(\w+)\}", text)
    slots = frozenset(pieces[1::2])
    if not slots <= SLOTS:
        raise LexiconError(f"unknown slot in {text!r}")
    runs = tuple(run for piece in pieces[::2] for run in _runs(piece))
    return Line(text, slots, max(pieces[::2], key=len).strip(), runs, offer, text.endswith("?"))


def _runs(piece: str) -> list[str]:
    words = [word for word in normalize(piece).split() if word not in ".,"]
    return [f" {' '.join(words[i : i + ECHO_WORDS])} " for i in range(len(words) - ECHO_WORDS + 1)]


def _voices(lexicon: Lexicon) -> Any:
    """What a companion's sentence tells about the conversation: topics, `child`, and the kinds of `_SPOKEN`."""
    found: dict[str, set[str]] = {}
    to_adults = _said_to_adults(lexicon)
    for entry in lexicon.entries.values():
        topic = entry.parent or entry.name
        if entry.kind in ("topic", "facet"):
            _mark(found, topic, entry.openings, entry.reflections, entry.questions)
        _mark(found, OFFERED, entry.steps)
        children = tuple(
            line for line in (*entry.child, *entry.child_questions) if line.part not in to_adults
        )
        _mark(found, "child", children)
    _mark(found, "no_exercises", lexicon.entries["exercise_failed"].reflections)
    for kind, names in _SPOKEN.items():
        _mark(found, kind, *(lexicon.moves[name] for name in names))
    _mark(found, TOLD_STORY, *(lines for _, lines in lexicon.worlds))
    automaton = ahocorasick.Automaton()
    for line in _all_lines(lexicon):
        automaton.add_word(line.part, (line.part, tuple(sorted(found.get(line.part, ())))))
    automaton.make_automaton()
    return automaton


def _mark(found: dict[str, set[str]], kind: str, *pools: Pool) -> None:
    for pool in pools:
        for line in pool:
            found.setdefault(line.part, set()).add(kind)


def _all_lines(lexicon: Lexicon) -> list[Line]:
    pools = [*lexicon.moves.values(), *(lines for _, lines in lexicon.worlds)]
    for entry in lexicon.entries.values():
        pools += [*entry.pools, entry.child, entry.child_questions]
    return [line for pool in pools for line in pool]


def _said_to_adults(lexicon: Lexicon) -> str:
    pools = [pool for name, pool in lexicon.moves.items() if not name.startswith("child_")]
    for entry in lexicon.entries.values():
        pools += entry.pools
    return "\n".join(line.text for pool in pools for line in pool)


class _Keywords:
    """Collects keywords; `word*` matches every word that begins so. Phrases stand between blanks in normalized text."""

    def __init__(self) -> None:
        self._found: dict[str, list[Entry]] = {}

    def add(self, keyword: str, entry: Entry) -> None:
        pattern = normalize(keyword.rstrip("*"))
        if keyword.endswith("*"):
            pattern = pattern.rstrip()
        elif not any(character.isalnum() for character in pattern):
            pattern = pattern.strip()  # an emoji may stand right after a word
        entries = self._found.setdefault(pattern, [])
        if entry not in entries:
            entries.append(entry)

    def add_stretched(self, letters: str, entry: Entry) -> None:
        self._found[letters] = [entry]

    def automaton(self) -> Any:
        automaton = ahocorasick.Automaton()
        for pattern, entries in self._found.items():
            automaton.add_word(pattern, (len(pattern), tuple(entries)))
        automaton.make_automaton()
        return automaton
