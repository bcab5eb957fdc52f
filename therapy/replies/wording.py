"""Text as the engine compares it: small letters, no accents, no apostrophes, marks as words of their own."""

from __future__ import annotations

import re
import unicodedata

#: Longer messages are read at both ends: people begin with the matter and end with the point.
READ_HEAD, READ_TAIL = 2000, 1000
READ_WHOLE = READ_HEAD + READ_TAIL

_ELONGATED = re.compile(r"([a-zñ])\1{2,}")
_ACCENTED = "áàâäãéèêëíìîïóòôöõúùûüñç"


def _folding() -> dict[int, str]:
    table = {ord(letter): unicodedata.normalize("NFD", letter)[0] for letter in _ACCENTED}
    table.update(dict.fromkeys(map(ord, '!?;:…\n\r¡¿()[]{}"“”«»—–|*#<>=+~^'), "."))
    table.update(dict.fromkeys(map(ord, "\t-_/\\"), " "))
    return table


_FOLDED = str.maketrans({chr(code): letter for code, letter in _folding().items()})


def normalize(text: str) -> str:
    """' i dont know . my mother , she left ' from “I don’t know… My mother, she left”. Always framed by blanks."""
    text = text.lower().replace("'", "").replace("’", "").replace("‘", "")
    text = _ELONGATED.sub(r"\1", text.translate(_FOLDED))
    text = text.replace(".", " . ").replace(",", " , ")
    return f" {' '.join(text.split())} "


def excerpt(text: str) -> str:
    if len(text) <= READ_WHOLE:
        return text
    return f"{text[:READ_HEAD]} . {text[-READ_TAIL:]}"


def words_only(normalized: str) -> str:
    """Without the marks, for comparing runs of words across commas."""
    return normalized.replace(" .", "").replace(" ,", "")
