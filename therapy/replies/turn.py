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
        if not heard.topics and not heard.feelings:
            return ()
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
        if heard.topics:
            self.named = entries[max(heard.topics, key=heard.topics.__getitem__)]
        oldest = thread.turns - STAYS
        scores = dict(heard.topics)
        for facet in heard.facets:
            parent = facet.parent
            if parent in heard.topics or thread.named.get(parent, -STAYS) > oldest:
                scores[parent] = scores.get(parent, 0.0) + DETAIL_NOW * facet.weight
        if not scores:
            chosen = _strongest(thread, oldest)
        elif len(scores) == 1:
            (chosen,) = scores
        else:
            chosen = max(scores, key=lambda name: scores[name] + _standing(thread, name, oldest))
        if not chosen:
            return
        for elder in entries[chosen].yields_to:
            if elder in heard.topics or thread.named.get(elder, -STAYS) > oldest:
                chosen = elder
                break
        self.focus = entries[chosen]
        if heard.facets:
            own = [facet for facet in heard.facets if facet.parent == chosen]
            own.reverse()  # people end with the point
            self.facets = sorted(dict.fromkeys(own), key=own.count, reverse=True)


def _strongest(thread: Thread, oldest: int) -> str:
    alive = [name for name, at in thread.named.items() if at > oldest]
    return max(alive, key=lambda name: (thread.topics[name], name), default="")


def _standing(thread: Thread, name: str, oldest: int) -> float:
    """How much the conversation so far speaks for a topic."""
    if thread.named.get(name, oldest) <= oldest:
        return 0.0
    return BEFORE * min(thread.strength(name), BEFORE_MOST)
