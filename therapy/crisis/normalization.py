"""What was typed -> the plain lower-case words that rules and model read. No Django, no input or output.

Every word of the result knows where it stood in the original, so that a reason can point there.
Linear in the length of the text; never raises on any str.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_DATA: Final = tomllib.loads(Path(__file__).with_name("normalization.toml").read_text(encoding="utf-8"))

# A word may hold apostrophes, masks inside it ("su*cide", "k!ll"), combining accents and invisible joiners.
_MARKS: Final = "\u0300-\u036f\u00ad\u200b-\u200d\ufe0f"
_TOKEN: Final = re.compile(
    rf"[^\W_](?:[^\W_]|['’‘`´ʼ@${_MARKS}]|[!*|](?=[^\W_]))*|\$(?=[^\W\d_])[^\W_]+|[.!?…\n]+|[^\w\s]"
)
_SPELLED: Final = re.compile(r"(?<![^\W_])(?:[^\W_][ .\-*]{1,3}){2,30}[^\W_](?![^\W_])")
_STRETCHED: Final = re.compile(r"(.)\1{2,}")
_LEET: Final = str.maketrans("013457@$!|*", "oieastasii_")
_APOSTROPHES: Final = str.maketrans("’‘`´ʼ", "'''''")
_LOOKALIKE: Final = str.maketrans("авсеікморстухѕјԁɡαεικορτυν", "abceikmopctyxsjdgaeikoptuv")
_LONGEST_WORD: Final = 24

_EXPANSIONS: Final[dict[str, str]] = _DATA["expansions"]
_EMOJI: Final[dict[str, str]] = _DATA["emoji"]
# Words that decide: they are found again behind masks, gaps and slips of the finger.
_GUARDED: Final[frozenset[str]] = frozenset(_DATA["guarded"]["words"])


def _slips(word: str) -> set[str]:
    """The word with one letter left out, and with two neighbours swapped."""
    left_out = {word[:i] + word[i + 1 :] for i in range(len(word))}
    swapped = {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}
    return left_out | swapped


_STARTS: Final = frozenset(word[:3] for word in _GUARDED)
_REPAIRS: Final = {slip: word for word in sorted(_GUARDED) if len(word) >= 5 for slip in _slips(word)}


def _vocabulary(words: Iterable[str]) -> dict[str, str]:
    known = {word: word for word in words}
    known.update({word: word for word in _GUARDED})
    known.update(
        {mark: mark for mark in (".", "?", "!")} | {mark: plain for mark, plain in _EMOJI.items() if plain}
    )
    known.update(_EXPANSIONS)
    known.update({word.replace("'", ""): plain for word, plain in _EXPANSIONS.items() if len(word) > 4})
    known.update({word.replace("'", "’"): plain for word, plain in _EXPANSIONS.items()})
    return known


_known: dict[str, str] = _vocabulary(_DATA["common"]["words"].split())


@dataclass(frozen=True, slots=True)
class Normalized:
    """`text` is every word between single spaces, with one space at each end; punctuation is a word of its own."""

    text: str
    original: str
    words: list[str] = field(repr=False)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in `text` -> offsets in the original that cover the same words."""
        first = last = None
        position = 1
        within = False
        for word, token in zip(self.words, _TOKEN.finditer(self.original), strict=False):
            if not word:  # punctuation that says nothing, or a letter that was joined to the word before
                last = token.end() if within and token.group()[0].isalnum() else last
                continue
            within = position < end and position + len(word) > start
            if within:
                first = token.start() if first is None else first
                last = token.end()
            position += len(word) + 1
        return (0, 0) if first is None or last is None else (first, last)


def normalize(text: str) -> Normalized:
    tokens = _TOKEN.findall(text.lower())
    words = [_known.get(token) or _repair(token) for token in tokens]
    if _SPELLED.search(text):
        _join_spelled(tokens, words)
    return Normalized(f" {' '.join(filter(None, words))} ", text, words)


def _repair(token: str) -> str:
    if not token[0].isalnum() and token[0] != "$":
        return _punctuation(token)
    word = token if token.isascii() else _fold(token)
    word = word.translate(_APOSTROPHES).strip("'")
    if len(word) > _LONGEST_WORD:
        word = _STRETCHED.sub(r"\1", word)[:_LONGEST_WORD]
    if word.isdigit():
        return "#"
    plain = _known.get(word) or _known.get(word.replace("'", ""))
    return (
        plain
        or _unstretched(word)
        or _unmasked(word)
        or _REPAIRS.get(word)
        or word.removesuffix("'s").replace("'", "")
    )


def _punctuation(token: str) -> str:
    if token[0] in ".!?…\n":
        return "?" if "?" in token else "!" if "!" in token else "."
    return _EMOJI.get(token, "")


def _fold(token: str) -> str:
    """Accents, width variants, ornamental letters and Cyrillic or Greek look-alikes -> plain letters."""
    apart = unicodedata.normalize("NFKD", token)
    plain = "".join(letter for letter in apart if unicodedata.category(letter) not in ("Mn", "Cf"))
    return plain.lower().translate(_LOOKALIKE) if plain else token


def _unstretched(word: str) -> str:
    """'diiiie' -> 'die', 'soooo' -> 'so': letters that come three times or more stand for two or one."""
    if not _STRETCHED.search(word):
        return ""
    for replacement in (r"\1", r"\1\1"):
        shorter = _STRETCHED.sub(replacement, word)
        if shorter in _known:
            return _known[shorter]
    return _STRETCHED.sub(r"\1", word)


def _unmasked(word: str) -> str:
    """'su1c1de', 'k!ll', 'd*e' -> the guarded word that was masked; anything else stays as it is."""
    if word.isalpha():
        return ""
    plain = word.translate(_LEET)
    if plain in _GUARDED:
        return _known[plain]
    if "_" in plain:
        pattern = re.compile(re.escape(plain).replace("_", "[a-z]"))
        return next((_known[guarded] for guarded in sorted(_GUARDED) if pattern.fullmatch(guarded)), "")
    return ""


def _join_spelled(tokens: list[str], words: list[str]) -> None:
    """'s u i c i d e' and 'k.m.s': single letters that make up guarded words become those words, in place."""
    letters: list[int] = []
    for index, token in enumerate([*tokens, "END"]):
        if len(token) == 1 and token.isalnum():
            letters.append(index)
        elif token not in ".-*":
            _join_run(tokens, words, letters)
            letters = []


def _join_run(tokens: list[str], words: list[str], letters: list[int]) -> None:
    spelled = "".join(tokens[i] for i in letters).translate(_LEET)
    start = 0
    while start < len(letters) - 2:
        most = min(len(letters), start + 12) if spelled[start : start + 3] in _STARTS else 0
        for stop in range(most, start + 2, -1):
            run, word = letters[start:stop], spelled[start:stop]
            if word in _GUARDED:
                words[run[0]] = _known[word]
                words[run[0] + 1 : run[-1] + 1] = [""] * (run[-1] - run[0])
                start = stop - 1
                break
        start += 1


def know(words: Iterable[str]) -> None:
    """Take these words as spelled right: called once at start, with the vocabulary of rules and model."""
    for word in words:
        _known.setdefault(word, word)
