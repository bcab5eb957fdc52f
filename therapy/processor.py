"""A turn, from a player's frame to the committed answers: load, decide, commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from django.contrib.auth import get_user_model
from django.db import DatabaseError

from therapy.crisis import response as crisis
from therapy.crisis.assessment import CALM, Assessment, Heard
from therapy.database import in_database
from therapy.decisions import Reply, Situation, decide, safety
from therapy.journal import (
    AlreadyAppended,
    Effect,
    JournalError,
    JournalUnavailableError,
    StaleStateError,
    Turn,
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
from therapy.progress import RecordMarker
from therapy.replies.base import ReplyEngine
from therapy.replies.embedded import EmbeddedEngine
from therapy.sessions import PlayerState, RefusedError, SessionIntegrationManager

log = structlog.get_logger()

ATTEMPTS = 3


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


class ChatProcessor:
    """Decides what is said to a player, and remembers it.

    `on_crisis` is told the assessment of every message in which danger was seen.
    """

    def __init__(
        self,
        *,
        sessions: SessionIntegrationManager | None = None,
        personalization: PersonalizationServiceManager | None = None,
        engine: ReplyEngine | None = None,
        on_crisis: Callable[[Assessment], None] = lambda assessment: None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.sessions = sessions or SessionIntegrationManager()
        self.personalization = personalization or PersonalizationServiceManager()
        self.engine = engine or EmbeddedEngine()
        self.on_crisis = on_crisis
        self.clock = clock

    async def process(
        self, player_id: Any, incoming: IncomingMessage, *, said_id: str | None = None
    ) -> Answers:
        """One turn. Returns once it is stored; `said_id` is the id the player's message gets in the log.

        RefusedError tells what can't be; JournalError that nothing was stored. A crisis is answered even then,
        with a reply marked `stored: false`. The turn goes on if the caller is cancelled.
        """
        player_id = get_user_model()._meta.pk.to_python(player_id)
        return await asyncio.shield(self._process(player_id, incoming, said_id or f"msg_{new_id()}"))

    async def _process(self, player_id: Any, incoming: IncomingMessage, said_id: str) -> Answers:
        async with self.sessions.turn(player_id):
            try:
                return await self._attempt(player_id, incoming, said_id)
            except (JournalError, DatabaseError) as error:
                assessment = self._assess(self.sessions.known(player_id), incoming)
                if assessment.is_crisis:
                    log.error("crisis_not_stored", player_id=str(player_id), exc_info=error)
                    return self._answer_unstored(player_id, incoming, assessment)
                if isinstance(error, DatabaseError):
                    raise JournalUnavailableError from error
                raise

    async def _attempt(self, player_id: Any, incoming: IncomingMessage, said_id: str) -> Answers:
        """A turn, decided anew if another process was quicker with something it rests on."""
        for attempt in range(1, ATTEMPTS + 1):
            state = await self.sessions.load(player_id)
            try:
                return await self._turn(state, incoming, said_id)
            except RefusedError:
                if (earlier := await self._earlier(player_id, incoming)) is not None:
                    return earlier
                raise
            except StaleStateError:
                self.sessions.forget(player_id)
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    async def _turn(self, state: PlayerState, incoming: IncomingMessage, said_id: str) -> Answers:
        now = self.clock()
        assessment = self._assess(state, incoming)
        session, session_effects = await self.sessions.context_for(state, incoming, now)
        situation = Situation(state, session, assessment, said_id, now)
        reply = await decide(situation, incoming, self.engine.draft)
        turn = _compose(situation, incoming, reply, session_effects)

        outcome = await journal().append(turn)
        if isinstance(outcome, AlreadyAppended):
            return await self._stored(state.player_id, incoming)
        self._settle(state, turn, outcome.seq, Heard(_words_of(incoming), assessment))
        if assessment.is_crisis:
            self._note_crisis(state.player_id, assessment)
        said, *answers = _numbered(turn, outcome.seq)
        return Answers(answers, said)

    def _assess(self, state: PlayerState | None, incoming: IncomingMessage) -> Assessment:
        """Needs nothing but the process."""
        if not isinstance(incoming, UserMessage):
            return CALM
        heard = tuple(state.heard) if state else ()
        return self.personalization.detect_crisis_situation(incoming.content.text, heard)

    def _note_crisis(self, player_id: Any, assessment: Assessment) -> None:
        self.on_crisis(assessment)
        log.warning(
            "crisis_detected",
            player_id=str(player_id),
            crisis_level=assessment.level.label,
            crisis_types=list(assessment.types),
        )

    def _settle(self, state: PlayerState, turn: Turn, seq: int, heard: Heard) -> None:
        """After the commit: bring the kept state up to date, or forget it if another process moved the log on."""
        if seq != state.head + 1:
            self.sessions.forget(state.player_id)
            return
        for effect in turn.effects:
            effect.settle(state)
        state.head = seq + len(turn.answers)
        if heard.text:
            state.remember(heard, turn.answers)
        elif any(isinstance(effect, RecordMarker) for effect in turn.effects):
            state.remember(Heard(exercise_completed=True), ())

    def _answer_unstored(self, player_id: Any, incoming: IncomingMessage, assessment: Assessment) -> Answers:
        """A crisis with no database: what the process knows is enough."""
        self._note_crisis(player_id, assessment)
        state = self.sessions.known(player_id) or PlayerState(player_id)
        settings = state.settings
        answer = crisis.respond(
            assessment,
            _words_of(incoming),
            state.episode,
            country=settings.country,
            language=settings.language,
            at=self.clock(),
        )
        assert answer is not None, "a crisis always has an answer"
        state.episode = answer.episode
        message = OutgoingMessage(
            role="assistant",
            session_id=str(state.session.id) if state.session else None,
            content=OutgoingContent(text=answer.text, elements=list(answer.elements)),
            metadata=OutgoingMetadata(
                in_reply_to=incoming.id,
                safety=safety(assessment),
                recommendations=[],
                engine="crisis",
                stored=False,
            ),
        )
        return Answers([message])

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


def _words_of(incoming: IncomingMessage) -> str:
    return incoming.content.text if isinstance(incoming, UserMessage) else ""


def _act(incoming: IncomingMessage) -> dict[str, Any]:
    """What a frame asks for, whatever its id."""
    return incoming.model_dump(mode="json", exclude={"id", "session_id"}, exclude_none=True)


def _said_content(incoming: IncomingMessage, language: Language) -> OutgoingContent:
    """How the player's own act looks on their other devices."""
    match incoming:
        case UserMessage():
            return OutgoingContent(text=incoming.content.text)
        case Interaction():
            return OutgoingContent(
                event="interaction", action=incoming.content.action, id=incoming.content.id
            )
        case Feedback():
            return OutgoingContent(
                event="feedback", text=incoming.content.text or "", rating=incoming.content.rating
            )
        case _:
            return OutgoingContent(event=incoming.type)


def _compose(
    situation: Situation, incoming: IncomingMessage, reply: Reply, session_effects: tuple[Effect, ...]
) -> Turn:
    session_id = str(situation.session.id)
    said = OutgoingMessage(
        id=situation.said_id,
        role="user",
        session_id=session_id,
        content=_said_content(incoming, situation.state.settings.language),
        timestamp=situation.now,
        metadata=OutgoingMetadata(client_id=incoming.id),
    )
    answer = OutgoingMessage(
        role=reply.role,
        session_id=session_id,
        content=OutgoingContent(text=reply.text, elements=list(reply.elements), event=reply.event),
        timestamp=situation.now,
        metadata=OutgoingMetadata(in_reply_to=incoming.id or said.id, **reply.metadata),
    )
    return Turn(situation.state.player_id, said, _act(incoming), (answer,), session_effects + reply.effects)


def _numbered(turn: Turn, seq: int) -> list[OutgoingMessage]:
    """The turn's messages as they stand in the log."""
    return [
        message.model_copy(update={"metadata": message.metadata.model_copy(update={"seq": seq + n})})
        for n, message in enumerate((turn.said, *turn.answers))
    ]
