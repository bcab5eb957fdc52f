"""From a request to a draft that may be said: the configured engine within a deadline, screened, or the embedded one.

An answer always comes, within the same turn. What an engine did is told to `on_outcome`, never with words of
a player or a draft in it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Literal

from .base import Draft, EngineError, ReplyEngine, ReplyRequest, StreamingReplyEngine
from .breaker import Breaker
from .embedded import EmbeddedEngine
from .screening import screen

DEADLINE_SECONDS = 8.0
ATTEMPTS = 2
RETRY_AFTER_SECONDS = 0.2

OnDelta = Callable[[str], Awaitable[None]]
OnVoid = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of asking an engine. `detail`: the broken rule, or the reason of an EngineError."""

    engine: str
    kind: Literal["answered", "failed", "late", "screened", "paused"]
    detail: str = ""


class _Refused(Exception):
    """The draft broke a rule."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class Answerer:
    """One per process and event loop. With the embedded engine alone, `answer` costs no more than that engine."""

    def __init__(
        self,
        engine: ReplyEngine,
        embedded: EmbeddedEngine,
        *,
        allowed_contacts: frozenset[str] = frozenset(),
        deadline_seconds: float = DEADLINE_SECONDS,
        on_outcome: Callable[[Outcome], None] = lambda outcome: None,
        breaker: Breaker | None = None,
    ) -> None:
        self._engine, self._embedded = engine, embedded
        self._allowed_contacts, self._deadline_seconds = allowed_contacts, deadline_seconds
        self._on_outcome, self._breaker = on_outcome, breaker or Breaker()

    async def answer(self, request: ReplyRequest) -> Draft:
        """The engine's draft, or the embedded engine's where it fails, is late, or says what must not be said."""
        if isinstance(self._engine, EmbeddedEngine):
            return self._engine.reply(request)
        return await self._try(request, self._draft) or self._embedded.reply(request)

    async def stream(self, request: ReplyRequest, on_delta: OnDelta, on_void: OnVoid | None = None) -> Draft:
        """As `answer`; the text goes to `on_delta` sentence by sentence as soon as each has passed the screen.

        `on_void` is called when what was given so far does not stand: the draft returned is another one.
        The embedded engine's drafts are not streamed, as they are there at once.
        """
        if not isinstance(self._engine, StreamingReplyEngine):
            return await self.answer(request)
        passage = _Passage(self._screen(request), on_delta)
        draft = await self._try(request, lambda asked: self._streamed(asked, passage))
        if draft is None and passage.sent and on_void is not None:
            await on_void()
        return draft or self._embedded.reply(request)

    async def _try(
        self, request: ReplyRequest, ask: Callable[[ReplyRequest], Awaitable[Draft]]
    ) -> Draft | None:
        if not self._breaker.may_pass():
            self._tell("paused")
            return None
        try:
            async with asyncio.timeout(self._deadline_seconds):
                draft = await ask(request)
        except TimeoutError:
            self._breaker.failed()
            self._tell("late")
        except EngineError as error:
            self._breaker.failed(permanent=error.permanent)
            self._tell("failed", error.reason)
        except _Refused as refusal:
            self._breaker.succeeded()
            self._tell("screened", refusal.rule)
        else:
            self._breaker.succeeded()
            self._tell("answered")
            return self._completed(request, draft)
        return None

    async def _draft(self, request: ReplyRequest) -> Draft:
        draft = await self._attempt(lambda: self._engine.draft(request))
        self._screen(request)(draft.text)
        return draft

    async def _streamed(self, request: ReplyRequest, passage: _Passage) -> Draft:
        async def once() -> Draft:
            passage.begin()
            async for piece in self._engine.stream(request):  # type: ignore[attr-defined]
                await passage.add(piece)
            await passage.end()
            return Draft(passage.text.strip(), self._engine.name)

        return await self._attempt(once, may_repeat=lambda: not passage.sent)

    async def _attempt(
        self, ask: Callable[[], Awaitable[Draft]], may_repeat: Callable[[], bool] = lambda: True
    ) -> Draft:
        """Up to two attempts; an engine's unexpected exception counts as a failure, told by its class alone."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await ask()
            except (_Refused, TimeoutError):
                raise
            except EngineError as error:
                failure = error
            except Exception as error:  # noqa: BLE001  an engine is foreign code, and its message may hold words
                failure = EngineError(type(error).__name__)
            if failure.permanent or attempt == ATTEMPTS or not may_repeat():
                raise failure
            await asyncio.sleep(RETRY_AFTER_SECONDS)
        raise AssertionError("unreachable")

    def _screen(self, request: ReplyRequest) -> Callable[[str], None]:
        def check(text: str) -> None:
            rule = screen(text, allowed_contacts=self._allowed_contacts, language=request.language)
            if rule:
                raise _Refused(rule)

        return check

    def _completed(self, request: ReplyRequest, draft: Draft) -> Draft:
        """Offers and themes as the embedded engine notices them: a model's text names no buttons."""
        themes, offers = self._embedded.notice(request)
        return replace(draft, offers=draft.offers or offers, themes=draft.themes or themes)

    def _tell(
        self, kind: Literal["answered", "failed", "late", "screened", "paused"], detail: str = ""
    ) -> None:
        self._on_outcome(Outcome(self._engine.name, kind, detail))


_SENTENCE = re.compile(r".*[.!?…][\"'”’)]*\s+", re.DOTALL)


class _Passage:
    """Collects pieces and lets whole sentences out, once everything up to their end has passed the screen."""

    def __init__(self, check: Callable[[str], None], on_delta: OnDelta) -> None:
        self._check, self._on_delta = check, on_delta
        self.text, self.sent = "", 0

    def begin(self) -> None:
        self.text, self.sent = "", 0

    async def add(self, piece: str) -> None:
        self.text += piece
        whole = _SENTENCE.match(self.text, self.sent)
        if whole and whole.end() > self.sent:
            await self._release(whole.end())

    async def end(self) -> None:
        self._check(self.text)
        if len(self.text) > self.sent:
            await self._release(len(self.text))

    async def _release(self, end: int) -> None:
        self._check(self.text[:end])
        released, self.sent = self.text[self.sent : end], end
        await self._on_delta(released)
