"""One turn in the making: the request, what was heard in it, and what it is about."""

from __future__ import annotations

from dataclasses import dataclass, field

from .base import ReplyRequest
from .composing import Composer
from .lexicon import Entry, Lexicon, Pool
from .listening import Impression
from .thread import Thread

#: A topic stays the matter at hand for so many turns after it was last named.
STAYS = 6
#: How much a detail says for its topic, and how much the conversation so far does.
DETAIL_NOW, BEFORE, BEFORE_MOST = 1.5, 0.5, 2.5


@dataclass(slots=True)
class Turn:
    request: ReplyRequest
    lexicon: Lexicon
    heard: Impression
    thread: Thread
    composer: Composer
    spoken: list[str]  # the message's words, normalized, without marks
    focus: Entry | None = None
    named: Entry | None = None  # the topic that this very message names most
    facets: list[Entry] = field(default_factory=list)
    is_child: bool = False
    source: Entry | None = None  # what the reflection came from, for a question that goes with it

    @property
    def themes(self) -> tuple[str, ...]:
        heard = self.heard
        topics = sorted(heard.topics, key=heard.topics.__getitem__, reverse=True)
        return (*topics, *dict.fromkeys(feeling.name for feeling in heard.feelings))

    @property
    def is_anxious(self) -> bool:
        return "anxious" in self.heard.signs

    def moves(self, name: str) -> Pool:
        """A pool of the moves; a child gets the child's version where there is one."""
        moves = self.lexicon.moves
        return moves.get(f"child_{name}", ()) or moves[name] if self.is_child else moves[name]

    def settle(self) -> None:
        """Find the topic: what was named now, helped by its details and by what the conversation is about."""
        heard, thread, entries = self.heard, self.thread, self.lexicon.entries
        self.is_child = "child" in heard.signs or "child" in thread.signs
        alive = {name for name, at in thread.named.items() if thread.turns - at < STAYS}
        scores = dict(heard.topics)
        for facet in heard.facets:
            if facet.parent in heard.topics or facet.parent in alive:
                scores[facet.parent] = scores.get(facet.parent, 0.0) + DETAIL_NOW * facet.weight
        for name in scores.keys() & alive:
            scores[name] += BEFORE * min(thread.topics[name], BEFORE_MOST)
        self.named = entries[max(heard.topics, key=scores.__getitem__)] if heard.topics else None
        chosen = max(scores, key=scores.__getitem__, default="")
        chosen = chosen or max(alive, key=lambda name: (thread.topics[name], name), default="")
        for elder in entries[chosen].yields_to if chosen else ():
            if elder in alive or elder in heard.topics:
                chosen = elder
                break
        self.focus = entries[chosen] if chosen else None
        own = [facet for facet in heard.facets if facet.parent == chosen]
        own.reverse()  # people end with the point
        self.facets = sorted(dict.fromkeys(own), key=own.count, reverse=True)
