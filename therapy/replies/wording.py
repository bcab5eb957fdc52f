"""Text as the engine compares it: small letters, no accents, no apostrophes, marks as words of their own."""

from __future__ import annotations

import re
import unicodedata

#: Longer messages are read at both ends: people begin with the matter and end with the point.
#: Characters of head and tail, for the message at hand and for one that was answered before.
READ_NOW, READ_BEFORE = (1000, 500), (300, 100)

_ELONGATED = re.compile(r"([a-z])\1{2,}")
_UNSPOKEN = re.compile(r"[^\w\s'’.,;:!?-]+")
_ACCENTED = "áàâäãéèêëíìîïóòôöõúùûüñç"


def _folding() -> dict[int, str]:
    table = {ord(letter): unicodedata.normalize("NFD", letter)[0] for letter in _ACCENTED}
    table.update(dict.fromkeys(map(ord, '!?;:…\n\r¡¿()[]{}"“”«»—–|*#<>=+~^'), "."))
    table.update(dict.fromkeys(map(ord, "\t-_/\\"), " "))
    return table


_FOLDED = str.maketrans({chr(code): letter for code, letter in _folding().items()})


def normalize(text: str) -> str:
    """' i dont know . my mother , she left ' from “I don’t know… My mother, she left”. Always framed by blanks."""
    text = text.lower().replace("'", "").replace("’", "").replace("‘", "").translate(_FOLDED)
    text = text.replace(".", " . ").replace(",", " , ")
    return f" {' '.join(text.split())} "


def squeeze(normalized: str) -> str:
    """'so tired' from "sooooo tireddd". Costs more than all the rest, so only for texts that need it."""
    return _ELONGATED.sub(r"\1", normalized)


def excerpt(text: str, ends: tuple[int, int] = READ_NOW) -> str:
    head, tail = ends
    return text if len(text) <= head + tail else f"{text[:head]} . {text[-tail:]}"


def words_only(text: str, normalized: str) -> str:
    """All words of `text`, normalized and without marks, for comparing runs of words across commas.

    `normalized` is what was read of it, and spares the work where that was all.
    """
    if len(text) > sum(READ_NOW):
        normalized = normalize(_UNSPOKEN.sub(" ", text))
    return normalized.replace(" .", "").replace(" ,", "")
