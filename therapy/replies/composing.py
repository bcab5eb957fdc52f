"""Puts a reply together from sentences that were not said before in this conversation."""

from __future__ import annotations

from .lexicon import Line, Pool

#: Five words of one letter, framed by blanks: nothing shorter can be echoed.
SHORTEST_ECHO = 11


class Composer:
    """One reply in the making. The same `draw` gives the same choices; exercises that are `closed` are not spoken of."""

    __slots__ = ("_closed", "_draw", "_said", "_slots", "may_ask", "offers", "parts", "words")

    def __init__(
        self,
        *,
        said: set[str],
        words: str,
        draw: int,
        slots: dict[str, str],
        closed: frozenset[str] = frozenset(),
    ) -> None:
        self._said, self.words, self._draw, self._slots = said, words, draw, slots
        self._closed = closed
        self.parts: list[str] = []
        self.offers: tuple[str, ...] = ()
        self.may_ask = True

    def say(self, *pools: Pool) -> bool:
        """Add a sentence from the first pool that holds one that is new and no echo; False where none does."""
        for pool in pools:
            line = self._fresh(pool)
            if line is not None:
                self._take(line)
                return True
        return False

    def say_oldest(self, pool: Pool, lines: list[str]) -> None:
        """Add the sentence said longest ago in `lines`: for a conversation that has used up all that fits."""
        usable = [
            line for line in pool if self._slots.keys() >= line.slots and line.offer not in self._closed
        ]
        said = "\n".join(lines)
        self._take(min(usable, key=lambda line: said.rfind(line.part)))

    def fill(self, **slots: str) -> None:
        self._slots.update(slots)

    def slot(self, name: str) -> str:
        return self._slots.get(name, "")

    def chance(self, one_in: int) -> bool:
        return self._next() % one_in == 0

    def text(self) -> str:
        return " ".join(self.parts)

    def _fresh(self, pool: Pool) -> Line | None:
        """One that was not said, is no echo, and has all it needs; from a drawn place on, round the pool."""
        if not pool:
            return None
        said, slots = self._said, self._slots
        start = self._next() % len(pool)
        for i in range(start - len(pool), start):  # negative places count from the end: once round
            line = pool[i]
            if line.part in said or (line.slots and not line.slots <= slots.keys()):
                continue
            if line.offer in self._closed:
                continue
            if (self.may_ask or not line.is_question) and not self._echoes(line):
                return line
        return None

    def _echoes(self, line: Line) -> bool:
        words = self.words
        if len(words) < SHORTEST_ECHO:
            return False
        for run in line.runs:  # noqa: SIM110  a loop is twice as fast as any() here
            if run in words:
                return True
        return False

    def _take(self, line: Line) -> None:
        text = line.text
        if line.slots:
            text = text.format_map(self._slots).replace(" de el ", " del ").replace(" a el ", " al ")
            text = text[0].upper() + text[1:]
        self.parts.append(text)
        self._said.add(line.part)
        if line.offer and line.offer not in self.offers:
            self.offers = (*self.offers, line.offer)

    def _next(self) -> int:
        self._draw = (self._draw * 6364136223846793005 + 1442695040888963407) & 0xFFFF_FFFF_FFFF_FFFF
        return self._draw >> 33
