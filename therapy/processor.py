"""A turn, from a player's frame to the committed answers: load, decide, commit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from weakref import WeakValueDictionary

import structlog
from django.contrib.auth import get_user_model
from django.db import Error as DatabaseFault

from therapy.crisis import response as crisis
from therapy.crisis.assessment import CALM, Assessment, Heard, Level
from therapy.database import in_database
from therapy.decisions import answer_danger_whatever_happens, decide
from therapy.elements import InteractiveElementHandler, parse_element_id
from therapy.journal import (
    AlreadyAppended,
    Appended,
    Effect,
    JournalUnavailableError,
    StaleStateError,
    Turn,
    awaiting_reply,
    journal,
    stored_turn,
)
from therapy.messages import (
    Feedback,
    IncomingMessage,
    Interaction,
    Language,
    OutgoingContent,
    OutgoingMessage,
    OutgoingMetadata,
    UserMessage,
    new_id,
    utc_now,
)
from therapy.models import Message
from therapy.personalization import PersonalizationServiceManager
from therapy.replies.base import Draft, ReplyEngine, ReplyRequest
from therapy.replies.embedded import EmbeddedEngine
from therapy.replies.relay import DEADLINE_SECONDS, Answerer, Outcome
from therapy.runs import EndRun
from therapy.sessions import (
    PlayerState,
    RefusedError,
    SaveEpisode,
    SessionContext,
    SessionIntegrationManager,
)
from therapy.situation import Reply, Situation

log = structlog.get_logger()

ATTEMPTS = 3
#: An answer that takes longer than this is not waited for: the player's message is stored and acknowledged first.
STORE_FIRST_SECONDS = 0.25
#: In a crisis neither a lock nor the database is waited for any longer.
CRISIS_PATIENCE_SECONDS = 1.0
#: Between the attempts to store what was answered before it was stored: an hour of them.
STORE_LATER_SECONDS = (1, 2, *[3] * 1200)


class Answers(list[OutgoingMessage]):
    """The answers of a turn in order, and what became of the player's own message.

    `said` is that message as it stands in the log (None where nothing could be stored); `is_duplicate` tells that
    the frame had been processed before and these are the answers of then.
    """

    def __init__(
        self,
        answers: list[OutgoingMessage],
        said: OutgoingMessage | None = None,
        *,
        is_duplicate: bool = False,
    ) -> None:
        super().__init__(answers)
        self.said = said
        self.is_duplicate = is_duplicate

    @property
    def last_seq(self) -> int:
        """The sequence number of the turn's last message."""
        return max(message.metadata.seq or 0 for message in (*self, *([self.said] if self.said else [])))


async def _nothing(*_: Any) -> None:
    """Nobody listens."""


@dataclass(slots=True)
class _Act:
    """One frame on its way through a turn, however often it is tried. `decided` is the answer that is being stored,
    `shown` one that went out unstored.

    `heard` is what had been heard when the frame was assessed: while it stands, so does the `assessment`.
    """

    incoming: IncomingMessage
    said_id: str
    answer_id: str
    listener: Listener
    decided: Reply | None = None
    shown: Reply | None = None
    heard: tuple[Heard, ...] = ()
    assessment: Assessment | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """Who wants to hear of a turn while it goes on: that the message is stored, pieces of the answer, and that
    these pieces do not stand after all."""

    on_stored: Callable[[Answers], Awaitable[None]] = _nothing
    on_delta: Callable[[str], Awaitable[None]] | None = None
    on_void: Callable[[], Awaitable[None]] = _nothing


class ChatProcessor:
    """Decides what is said to a player, and remembers it.

    `on_crisis` is told the assessment of every message in which danger was seen, `on_outcome` how the engine did.
    """

    def __init__(
        self,
        *,
        sessions: SessionIntegrationManager | None = None,
        personalization: PersonalizationServiceManager | None = None,
        engine: ReplyEngine | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
        on_crisis: Callable[[Assessment], None] = lambda assessment: None,
        on_outcome: Callable[[Outcome], None] = lambda outcome: None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.sessions = sessions or SessionIntegrationManager()
        self.personalization = personalization or PersonalizationServiceManager()
        embedded = engine if isinstance(engine, EmbeddedEngine) else EmbeddedEngine()
        self.engine = engine or embedded
        self.answerer = Answerer(
            self.engine,
            embedded,
            allowed_contacts=crisis.allowed_contacts(),
            deadline_seconds=deadline_seconds,
            on_outcome=on_outcome,
        )
        self.on_crisis = on_crisis
        self.clock = clock
        self._tasks: set[asyncio.Future[None]] = set()
        self._unread: dict[Any, PlayerState] = {}
        self._storing: WeakValueDictionary[Any, asyncio.Lock] = WeakValueDictionary()

    async def process(
        self,
        player_id: Any,
        incoming: IncomingMessage,
        *,
        said_id: str | None = None,
        listener: Listener = Listener(),
    ) -> Answers:
        """One turn. Returns once it is stored; `said_id` is the id the player's message gets in the log.

        RefusedError tells what can't be; JournalError that nothing was stored. The turn goes on if the caller is
        cancelled. In a crisis, and while the conversation stays with one, nothing is waited for longer than a second
        and nothing is an excuse: the answer is then marked `stored: false`, and stored as soon as it can be.
        """
        player_id = get_user_model()._meta.pk.to_python(player_id)
        act = _Act(incoming, said_id or f"msg_{new_id()}", f"msg_{new_id()}", listener)
        state = self._at_hand(player_id)
        assessment = self._assess(state, act)
        turn = asyncio.ensure_future(self._locked(player_id, act))
        if not (assessment.is_crisis or _stays_with_danger(state, incoming)):
            return await asyncio.shield(turn)
        await asyncio.wait({turn}, timeout=CRISIS_PATIENCE_SECONDS)
        if turn.done() and turn.exception() is None:
            return turn.result()
        answers = self._answer_unstored(player_id, act, assessment)
        self._keep(asyncio.ensure_future(self._store_later(player_id, act, turn)))
        return answers

    def is_crisis(self, player_id: Any, incoming: UserMessage) -> bool:
        """Whether danger is seen in a message, or it is said in a conversation about danger that is not over.

        By what is known of the player without asking the database.
        """
        state = self._at_hand(player_id)
        assessment = self._assess(state, _Act(incoming, "", "", Listener()))
        return assessment.is_crisis or _stays_with_danger(state, incoming)

    def answer_crisis(self, player_id: Any, incoming: UserMessage) -> Answers:
        """For a message that is refused, and will be stored when it is sent again: danger is answered now.

        Empty where none is seen.
        """
        act = _Act(incoming, f"msg_{new_id()}", f"msg_{new_id()}", Listener())
        assessment = self._assess(self._at_hand(player_id), act)
        if not assessment.is_crisis:
            return Answers([])
        return self._answer_unstored(player_id, act, assessment)

    async def finish(self, player_id: Any) -> int:
        """Answer what a process that ended left stored without an answer; returns the newest sequence number, or 0.

        Safe beside whoever else is answering: only one of the answers is stored.
        """
        last_seq = 0
        async with self.sessions.turn(player_id):
            for said, incoming in await in_database(awaiting_reply, player_id):
                state = await self.sessions.load(player_id)
                assessment = self._assess(state, _Act(incoming, said.id, "", Listener()))
                session, effects = await self.sessions.context_for(state, incoming, self.clock())
                situation = Situation(state, session, assessment, said.id, self.clock())
                reply = await decide(situation, incoming, self.answerer.answer)
                last_seq = (await self._answer_stored(situation, incoming, said, reply, effects)).last_seq
        return last_seq

    async def _locked(self, player_id: Any, act: _Act) -> Answers:
        async with self.sessions.turn(player_id):
            try:
                return await self._attempt(player_id, act)
            except DatabaseFault as error:
                raise JournalUnavailableError from error

    def _keep(self, task: asyncio.Future[None]) -> None:
        """Hold on to a task that nobody awaits."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _store_later(self, player_id: Any, act: _Act, turn: asyncio.Future[Answers]) -> None:
        """A crisis was answered before it was stored: try until it is, then tell every device.

        One after the other, so that the log holds what was said in that order. A turn that is stored at once, as the
        first after an outage may be, can overtake them.
        """
        async with self._storing.setdefault(player_id, asyncio.Lock()):
            for wait in STORE_LATER_SECONDS:
                try:
                    answers = await turn
                except (
                    RefusedError
                ) as refused:  # what it was sent under can't be; that it was said must be kept
                    act.incoming = act.incoming.model_copy(update={refused.field or "session_id": None})
                except Exception as error:
                    log.error("crisis_not_stored", player_id=str(player_id), exc_info=error)
                else:
                    await self._tell_late(player_id, act, answers)
                    return
                await asyncio.sleep(wait)
                turn = asyncio.ensure_future(self._locked(player_id, act))

    async def _tell_late(self, player_id: Any, act: _Act, answers: Answers) -> None:
        try:
            await act.listener.on_stored(answers)
        except Exception as error:
            log.error("crisis_stored_untold", player_id=str(player_id), exc_info=error)

    async def _attempt(self, player_id: Any, act: _Act) -> Answers:
        """A turn, decided anew if another process was quicker with something it rests on."""
        for attempt in range(1, ATTEMPTS + 1):
            state = await self.sessions.load(player_id)
            if (unread := self._unread.pop(player_id, None)) is not None:
                state.episode = unread.episode or state.episode
            try:
                return await self._turn(state, act)
            except RefusedError:
                if (earlier := await self._earlier(player_id, act.incoming)) is not None:
                    return earlier
                raise
            except StaleStateError:
                self.sessions.forget(player_id)
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    async def _turn(self, state: PlayerState, act: _Act) -> Answers:
        now, incoming = self.clock(), act.incoming
        assessment = self._assess(state, act)
        session, session_effects = await self.sessions.context_for(state, incoming, now)
        situation = Situation(state, session, assessment, act.said_id, now)

        if act.shown is not None:
            reply = act.shown
        elif isinstance(self.engine, EmbeddedEngine) or not isinstance(incoming, UserMessage):
            reply = await decide(situation, incoming, self._drafter(act.listener))
        else:
            task = asyncio.ensure_future(decide(situation, incoming, self._drafter(act.listener)))
            await asyncio.wait({task}, timeout=STORE_FIRST_SECONDS)
            if not task.done():
                return await self._turn_in_two(situation, act, task, session_effects)
            reply = task.result()
        if act.shown is not None:  # what was shown, even meanwhile, is what is stored
            reply = act.shown.in_session(session.id)
        act.decided = reply
        if reply.assessment is not None:
            situation = replace(situation, assessment=reply.assessment)

        said = _said(situation, incoming)
        turn = Turn(
            player_id=state.player_id,
            said=said,
            act=_act(incoming),
            answers=(_answer(situation, incoming, reply, act.answer_id),),
            effects=session_effects + reply.effects,
        )
        outcome = await journal().append(turn)
        if isinstance(outcome, AlreadyAppended):
            return await self._stored(state.player_id, incoming)
        self._settle(situation, incoming, turn, outcome)
        if act.shown is None:
            self._note_crisis(state.player_id, situation.assessment)
        said, *answers = _numbered([said, *turn.answers], outcome.seq)
        return Answers(answers, said)

    async def _turn_in_two(
        self,
        situation: Situation,
        act: _Act,
        deciding: asyncio.Future[Reply],
        session_effects: tuple[Effect, ...],
    ) -> Answers:
        """The engine takes its time: store and acknowledge what was said, then the answer when it is there."""
        incoming = act.incoming
        said = _said(situation, incoming)
        turn = Turn(
            player_id=situation.state.player_id,
            said=said,
            act=_act(incoming),
            effects=session_effects,
            is_awaiting_reply=True,
        )
        outcome = await journal().append(turn)
        if isinstance(outcome, AlreadyAppended):
            deciding.cancel()
            return await self._stored(situation.state.player_id, incoming)
        self._settle(situation, incoming, turn, outcome)
        (said,) = _numbered([said], outcome.seq)
        await act.listener.on_stored(Answers([], said))
        return await self._answer_stored(situation, incoming, said, await deciding, ())

    async def _answer_stored(
        self,
        situation: Situation,
        incoming: IncomingMessage,
        said: OutgoingMessage,
        reply: Reply,
        effects: tuple[Effect, ...],
    ) -> Answers:
        """Append the answer to a message that stands in the log, unless somebody else has answered it."""
        state = situation.state
        turn = Turn(
            player_id=state.player_id,
            said=None,
            in_reply_to=said.id,
            answers=(_answer(situation, incoming, reply, f"msg_{new_id()}"),),
            effects=effects + reply.effects,
        )
        try:
            outcome = await journal().append(turn)
        except StaleStateError:
            self.sessions.forget(state.player_id)
            return Answers([], said)
        assert isinstance(outcome, Appended)
        self._settle(situation, incoming, turn, outcome)
        self._note_crisis(state.player_id, situation.assessment)
        return Answers(_numbered(list(turn.answers), outcome.seq), said)

    def _drafter(self, listener: Listener) -> Callable[[ReplyRequest], Awaitable[Draft]]:
        on_delta = listener.on_delta
        if on_delta is None:
            return self.answerer.answer
        return lambda request: self.answerer.stream(request, on_delta, listener.on_void)

    def _assess(self, state: PlayerState | None, act: _Act) -> Assessment:
        """Needs nothing but the process."""
        if not isinstance(act.incoming, UserMessage):
            return CALM
        heard = tuple(state.heard) if state else ()
        if act.assessment is None or heard != act.heard:
            act.heard = heard
            detect = self.personalization.detect_crisis_situation
            act.assessment = crisis.assess_whatever_happens(detect, act.incoming.content.text, heard)
        return act.assessment

    def _note_crisis(self, player_id: Any, assessment: Assessment) -> None:
        if not assessment.is_crisis:
            return
        try:
            self.on_crisis(assessment)
        except Exception as error:
            log.error("crisis_not_counted", exc_info=error)
        log.warning(
            "crisis_detected",
            player_id=str(player_id),
            crisis_level=assessment.level.label,
            crisis_types=list(assessment.types),
        )

    def _settle(self, situation: Situation, incoming: IncomingMessage, turn: Turn, outcome: Appended) -> None:
        """After the commit: bring the kept state up to date, or forget it if another process moved the log on."""
        state = situation.state
        if outcome.seq != state.head + 1:
            self.sessions.forget(state.player_id)
            return
        for effect in turn.effects:
            effect.settle(state)
        state.head = outcome.last_seq
        if isinstance(incoming, UserMessage):
            heard = Heard(incoming.content.text, situation.assessment) if turn.said else None
            state.remember(heard, turn.answers)
        elif any(isinstance(effect, EndRun) and effect.is_completed for effect in turn.effects):
            state.remember(Heard(exercise_completed=True), ())

    def _at_hand(self, player_id: Any) -> PlayerState | None:
        """What the process knows of a player: all, or how the danger was spoken of while nothing could be read."""
        return self.sessions.known(player_id) or self._unread.get(player_id)

    def _answer_unstored(self, player_id: Any, act: _Act, assessment: Assessment) -> Answers:
        """A crisis when nothing can be stored: what the process knows is enough."""
        state = self._at_hand(player_id) or self._unread.setdefault(player_id, PlayerState(player_id))
        situation = Situation(
            state, state.session or SessionContext(new_id()), assessment, act.said_id, self.clock()
        )
        act.shown = act.decided or answer_danger_whatever_happens(situation, act.incoming)
        for effect in act.shown.effects:
            if isinstance(effect, SaveEpisode):
                state.episode = effect.episode
        self._note_crisis(player_id, act.shown.assessment or assessment)
        message = _answer(situation, act.incoming, act.shown, act.answer_id)
        unstored = message.metadata.model_copy(update={"stored": False})
        session_id = str(state.session.id) if state.session else None
        return Answers([message.model_copy(update={"metadata": unstored, "session_id": session_id})])

    async def _earlier(self, player_id: Any, incoming: IncomingMessage) -> Answers | None:
        """What was answered to the same frame before things changed so that it is refused now."""
        if incoming.id is None:
            return None
        try:
            return await self._stored(player_id, incoming)
        except Message.DoesNotExist:
            return None

    async def _stored(self, player_id: Any, incoming: IncomingMessage) -> Answers:
        """The stored answers of a frame that was sent before; RefusedError if its id was another frame's."""
        assert incoming.id is not None
        stored = await in_database(stored_turn, player_id, incoming.id)
        if stored.act != _act(incoming):
            text = "This id belongs to another frame. Give each frame an id of its own."
            raise RefusedError("id_reused", text, "id")
        return Answers(stored.answers, stored.said, is_duplicate=True)


# --- between the wire's frames and the log's messages ------------------------------------------------


def _stays_with_danger(state: PlayerState | None, incoming: IncomingMessage) -> bool:
    """Whether a message is said in a conversation about danger that is not over."""
    episode = state.episode if state else None
    if not isinstance(incoming, UserMessage) or episode is None:
        return False
    return not episode.is_over and episode.level > Level.CHECK_IN


def _act(incoming: IncomingMessage) -> dict[str, Any]:
    """What a frame asks for, whatever its id."""
    return incoming.model_dump(mode="json", exclude={"id", "session_id"}, exclude_none=True)


def _said(situation: Situation, incoming: IncomingMessage) -> OutgoingMessage:
    return OutgoingMessage(
        id=situation.said_id,
        role="user",
        session_id=str(situation.session.id),
        content=_said_content(incoming, situation.state.settings.language),
        timestamp=situation.now,
        metadata=OutgoingMetadata(client_id=incoming.id),
    )


def _said_content(incoming: IncomingMessage, language: Language) -> OutgoingContent:
    """How the player's own act looks on their other devices."""
    match incoming:
        case UserMessage():
            return OutgoingContent(text=incoming.content.text)
        case Interaction(content=content):
            action = parse_element_id(content.id)
            label = InteractiveElementHandler().label(action, language) if action else ""
            return OutgoingContent(event="interaction", text=label, action=content.action, id=content.id)
        case Feedback(content=content):
            return OutgoingContent(event="feedback", text=content.text or "", rating=content.rating)
        case _:
            return OutgoingContent(event=incoming.type)


def _answer(situation: Situation, incoming: IncomingMessage, reply: Reply, answer_id: str) -> OutgoingMessage:
    return OutgoingMessage(
        id=answer_id,
        role=reply.role,
        session_id=str(situation.session.id),
        content=OutgoingContent(text=reply.text, elements=list(reply.elements), event=reply.event),
        timestamp=situation.now,
        metadata=OutgoingMetadata(in_reply_to=incoming.id or situation.said_id, **reply.metadata),
    )


def _numbered(messages: list[OutgoingMessage], seq: int) -> list[OutgoingMessage]:
    """The messages as they stand in the log from `seq` on."""
    return [message.placed(seq + n) for n, message in enumerate(messages)]
