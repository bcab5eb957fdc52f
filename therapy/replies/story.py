"""The story around a conversation: what a character and a world are called, and the voice of a world."""

from __future__ import annotations

import re
from functools import lru_cache

from .lexicon import Lexicon, Pool

NAME_MAX = 40
_PREFIX = re.compile(
    r"^(?:char|character|chr|npc|hero|world|wld|realm|map|personaje|mundo)[_.:@+-]+", re.IGNORECASE
)
_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_EDGE = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")


@lru_cache(maxsize=1024)
def humanize(identifier: str, unnamed: str) -> str:
    """'Elven Ranger' from 'char_elven-ranger'; 'Character 42' from 'char_42', `unnamed` being "Character"."""
    bare = _UUID.sub("", _PREFIX.sub("", identifier))
    words = [word for word in _EDGE.split(bare) if word]
    if not words:
        return unnamed
    name = " ".join(
        word if word.isupper() and len(word) < 4 else word[0].upper() + word[1:] for word in words
    )
    if not any(letter.isalpha() for letter in name):
        name = f"{unnamed} {name}"
    return name[:NAME_MAX].rstrip()


def voice(lexicon: Lexicon, world_id: str | None) -> Pool:
    """The sentences of a world whose kind the id tells (forest, sea, castle ...); empty where it tells none."""
    if world_id is None:
        return ()
    bare = world_id.lower()
    return next((lines for named, lines in lexicon.worlds if any(name in bare for name in named)), ())
