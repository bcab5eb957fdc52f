"""The default engine: reflective listening from phrase files, offline, in microseconds.

It reads the message and the last lines, decides what kind of answer is due (`turns`), and puts it together
from sentences that fit and were not said before. It makes nothing up and keeps nothing between turns.
"""

from __future__ import annotations

from zlib import crc32

from .base import Draft, ReplyRequest
from .composing import Composer
from .leading import CALMING
from .lexicon import Lexicon
from .listening import Impression, listen
from .loading import load
from .story import humanize
from .thread import Memory, Thread, follow
from .turn import Turn
from .turns import answer
from .wording import words_only

LANGUAGES = ("en", "es")


class EmbeddedEngine:
    name = "embedded"

    def __init__(self) -> None:
        self._lexicons = {language: load(language) for language in LANGUAGES}
        self._memories = {language: Memory(lexicon) for language, lexicon in self._lexicons.items()}

    async def draft(self, request: ReplyRequest) -> Draft:
        return self.reply(request)

    def reply(self, request: ReplyRequest) -> Draft:
        turn = self._hear(request)
        answer(turn)
        composer = turn.composer
        return Draft(composer.text(), self.name, composer.offers, turn.themes)

    def notice(self, request: ReplyRequest) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Themes and offers of a request, for a draft that another engine wrote."""
        turn = self._hear(request)
        return turn.themes, CALMING if turn.is_anxious else ()

    def _hear(self, request: ReplyRequest) -> Turn:
        lexicon, language = self._lexicons[request.language], request.language
        normalized, heard = listen(lexicon, request.text)
        text = words_only(request.text, normalized)
        spoken = text.split()
        if self._is_other_language(language, spoken):
            language = "es" if language == "en" else "en"
            lexicon = self._lexicons[language]
            normalized, heard = listen(lexicon, request.text)
        thread = follow(self._memories[language], request.recent)
        composer = Composer(
            said=thread.said,
            words=text,
            draw=crc32(normalized.encode(), request.seed & 0xFFFF_FFFF) + len(request.recent),
            slots=_slots(lexicon, request, heard, thread),
            closed=request.closed,
        )
        return Turn(request, lexicon, heard, thread, composer, spoken)

    def _is_other_language(self, language: str, words: list[str]) -> bool:
        """Whether these words are plainly not of the player's setting but of the other language."""
        own, common = 0, self._lexicons[language].common
        for word in words:
            if word in common:
                own += 1
                if own > 1:
                    return False
        other = self._lexicons["es" if language == "en" else "en"]
        return len(words) > 2 and len(other.common.intersection(words)) > own + 1


def _slots(lexicon: Lexicon, request: ReplyRequest, heard: Impression, thread: Thread) -> dict[str, str]:
    slots = {}
    if heard.people:
        slots["person"] = heard.people[-1].label
    if heard.lost or thread.lost:
        slots["lost"] = heard.lost or thread.lost
    if request.character_id:
        slots["character"] = humanize(request.character_id, lexicon.words["unnamed"][0])
    if request.world_id:
        slots["world"] = humanize(request.world_id, lexicon.words["unnamed"][1])
    return slots
