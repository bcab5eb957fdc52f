"""A player's sessions, and the state that a turn is decided on: loaded once, then kept while the player is here."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction

from privacy import audit
from therapy.crisis.answers import Episode
from therapy.crisis.assessment import Heard
from therapy.crisis.detector import assess
from therapy.crisis.response import assess_whatever_happens
from therapy.database import in_database
from therapy.journal import Effect, StaleStateError, latest_messages
from therapy.messages import Intensity, Language, OutgoingMessage, new_id, utc_now
from therapy.models import PlayerProfile, ProgressMarker, TherapeuticSession
from therapy.personalization import Experience, load_experiences, load_latest_exercise
from therapy.progress import Goal, Marker, load_earned, record_marker
from therapy.replies.base import Utterance
from therapy.runs import CompletedRun, OpenRun, load_runs
from therapy.suitability import Limits

if TYPE_CHECKING:
    from therapy.messages import IncomingMessage

STATES_MAX = 20_000
#: What a clinician notes of a player is felt at the latest after so long.
LIMITS_KEPT_SECONDS = 300
HEARD_MAX = 12
#: Who answers words that fill in a worksheet, as it stands in `metadata.engine`.
WORKSHEET_ENGINE = "exercise"
RECENT_MAX = 24
_LOOK_BACK = 48


class RefusedError(Exception):
    """A well-formed frame asks for what can't be. Tells the player what, and nothing is stored."""

    def __init__(self, code: str, text: str, field: str | None = None) -> None:
        super().__init__(code)
        self.code, self.text, self.field = code, text, field


@dataclass(frozen=True, slots=True)
class PlayerSettings:
    intensity: Intensity = "medium"
    approaches: tuple[str, ...] = ()
    country: str = ""
    language: Language = "en"
    goal: Goal | None = None


@dataclass(frozen=True, slots=True)
class SessionContext:
    """A session as a turn sees it. Ids are '' where the player named none."""

    id: UUID
    character_id: str = ""
    world_id: str = ""

    def is_about(self, character_id: str, world_id: str) -> bool:
        return (self.character_id, self.world_id) == (character_id, world_id)


@dataclass(slots=True)
class PlayerState:
    """What decisions need to know of a player. Changed only by effects that were committed.

    `unrated` are runs completed within a day, without a mood after; `completed` the newest, oldest first, and
    `completions` the number of all; `earned` the deeds recognized by a rule. `talked_of_danger_at`: the last turn
    of a conversation about danger.
    """

    player_id: Any
    settings: PlayerSettings = PlayerSettings()
    session: SessionContext | None = None
    head: int = 0
    heard: deque[Heard] = field(default_factory=lambda: deque(maxlen=HEARD_MAX))
    recent: deque[Utterance] = field(default_factory=lambda: deque(maxlen=RECENT_MAX))
    open_runs: dict[str, OpenRun] = field(default_factory=dict)
    unrated: dict[str, OpenRun] = field(default_factory=dict)
    completed: list[CompletedRun] = field(default_factory=list)
    completions: dict[str, int] = field(default_factory=dict)
    earned: set[str] = field(default_factory=set)
    safety_plan: dict[str, str] = field(default_factory=dict)
    latest_exercise: str = ""
    experiences: dict[str, Experience] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    limits_read_at: float = field(default_factory=time.monotonic, compare=False)
    episode: Episode | None = None
    talked_of_danger_at: datetime | None = None

    def remember(self, heard: Heard | None, answers: Iterable[OutgoingMessage]) -> None:
        answers = tuple(answers)
        if any(_is_of_worksheet(answer) for answer in answers):
            return  # a worksheet asks for hard words: they are no conversation, and no engine sees them
        if heard is not None:
            self.heard.append(heard)
        if heard is not None and heard.text:
            self.recent.append(Utterance("player", heard.text))
        self.recent.extend(
            Utterance("companion", answer.content.text) for answer in answers if answer.content.text
        )


# --- effects -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenSession:
    context: SessionContext
    player_id: Any
    at: datetime

    def apply(self) -> None:
        TherapeuticSession.objects.create(
            id=self.context.id,
            player_id=self.player_id,
            character_id=self.context.character_id,
            world_id=self.context.world_id,
            opened_at=self.at,
            resumed_at=self.at,
        )

    def settle(self, state: PlayerState) -> None:
        state.session = self.context
        state.recent.clear()


@dataclass(frozen=True, slots=True)
class ResumeSession:
    context: SessionContext
    at: datetime
    recent: tuple[Utterance, ...]

    def apply(self) -> None:
        open_one = TherapeuticSession.objects.filter(pk=self.context.id, closed_at=None)
        if not open_one.update(resumed_at=self.at):
            raise StaleStateError

    def settle(self, state: PlayerState) -> None:
        state.session = self.context
        state.recent.clear()
        state.recent.extend(self.recent)


@dataclass(frozen=True, slots=True)
class SaveSettings:
    player_id: Any
    settings: PlayerSettings

    def apply(self) -> None:
        PlayerProfile.objects.filter(pk=self.player_id).update(
            intensity=self.settings.intensity,
            preferred_approaches=list(self.settings.approaches),
            country=self.settings.country,
            language=self.settings.language,
            goal=self.settings.goal.to_json() if self.settings.goal else None,
        )

    def settle(self, state: PlayerState) -> None:
        state.settings = self.settings


@dataclass(frozen=True, slots=True)
class SaveEpisode:
    """Where a crisis conversation stands; None when it is over."""

    player_id: Any
    episode: Episode | None
    at: datetime

    def apply(self) -> None:
        profile = PlayerProfile(
            pk=self.player_id, crisis_episode=self.episode.to_json() if self.episode else None
        )
        profile.save(update_fields=["crisis_episode"])

    def settle(self, state: PlayerState) -> None:
        state.episode = self.episode
        state.talked_of_danger_at = self.at


# --- the manager -------------------------------------------------------------------------------------


class SessionIntegrationManager:
    """Opens, resumes, switches and closes sessions, and keeps the states of the players of this process."""

    def __init__(self) -> None:
        self._states: OrderedDict[Any, PlayerState] = OrderedDict()
        self._turns: dict[Any, asyncio.Lock] = {}

    def turn(self, player_id: Any) -> asyncio.Lock:
        """One turn of a player at a time in this process; across processes the log's row lock decides."""
        return self._turns.setdefault(player_id, asyncio.Lock())

    def known(self, player_id: Any) -> PlayerState | None:
        return self._states.get(player_id)

    async def load(self, player_id: Any) -> PlayerState:
        """The player's state, read from the database unless it is known. LookupError if there is no such player."""
        state = self._states.get(player_id)
        if state is None:
            state = self._states[player_id] = await in_database(load_state, player_id)
            self._make_room()
        if time.monotonic() - state.limits_read_at > LIMITS_KEPT_SECONDS:
            state.limits = await in_database(load_limits, player_id)
            state.limits_read_at = time.monotonic()
        self._states.move_to_end(player_id)
        return state

    def forget(self, player_id: Any) -> None:
        """Something else changed what is kept here: read it again before the next turn."""
        self._states.pop(player_id, None)

    def saw(self, player_id: Any, seq: int) -> None:
        """The log has grown to `seq`, perhaps by another process, which the kept state does not know of."""
        state = self._states.get(player_id)
        if state is not None and state.head < seq:
            self.forget(player_id)

    def _make_room(self) -> None:
        while len(self._states) > STATES_MAX:
            player_id, _ = self._states.popitem(last=False)
            lock = self._turns.get(player_id)
            if lock is not None and not lock.locked():
                del self._turns[player_id]

    async def context_for(
        self, state: PlayerState, incoming: IncomingMessage, at: datetime
    ) -> tuple[SessionContext, tuple[Effect, ...]]:
        """The session a frame belongs to, and what must be written to be in it.

        A frame that names no session, character or world belongs to the active session.
        RefusedError if it names a session that is not the player's own or is closed.
        """
        if incoming.session_id is not None:
            return await self._named(state, incoming.session_id, at)
        if incoming.type == "switch_context":
            character, world = incoming.character_id, incoming.world_id
        else:
            character, world = incoming.metadata.character_id, incoming.metadata.world_id
        active = state.session or SessionContext(new_id())
        wanted = (character or active.character_id, world or active.world_id)
        if state.session is not None and active.is_about(*wanted):
            return active, ()
        return await self._about(state, *wanted, at)

    async def _named(
        self, state: PlayerState, session_id: str, at: datetime
    ) -> tuple[SessionContext, tuple[Effect, ...]]:
        if state.session is not None and str(state.session.id) == session_id:
            return state.session, ()
        found = await in_database(find_session, state.player_id, session_id=session_id)
        if found is None:
            raise RefusedError(
                "unknown_session", "There is no such session. Leave session_id out to go on.", "session_id"
            )
        return found, (await self.resume(state, found, at),)

    async def _about(
        self, state: PlayerState, character_id: str, world_id: str, at: datetime
    ) -> tuple[SessionContext, tuple[Effect, ...]]:
        found = await in_database(find_session, state.player_id, character_id=character_id, world_id=world_id)
        if found is not None:
            return found, (await self.resume(state, found, at),)
        opened = self.open(state, character_id, world_id, at)
        return opened.context, (opened,)

    def open(self, state: PlayerState, character_id: str, world_id: str, at: datetime) -> OpenSession:
        return OpenSession(SessionContext(new_id(), character_id, world_id), state.player_id, at)

    async def resume(self, state: PlayerState, context: SessionContext, at: datetime) -> ResumeSession:
        recent = await in_database(recent_utterances, state.player_id, context.id)
        return ResumeSession(context, at, recent)

    async def close(self, player_id: Any, session_id: UUID, *, by: object) -> bool:
        """End a session for good; the next frame opens another. False if it was not open."""

        def work() -> bool:
            with transaction.atomic():
                own = TherapeuticSession.objects.filter(pk=session_id, player_id=player_id, closed_at=None)
                is_closed = bool(own.update(closed_at=utc_now()))
                if is_closed:
                    audit.record(
                        "close", by=by, player=player_id, object_type="session", object_id=session_id
                    )
                return is_closed

        is_closed = await in_database(work)
        self.forget(player_id)
        return is_closed

    async def add_progress_marker(self, player_id: Any, marker: Marker, *, by: object) -> ProgressMarker:
        """Record a marker outside a turn, as a portal does for something that was achieved elsewhere.

        The same deed (`marker.earned_by`) twice is an IntegrityError: nothing is ever recorded twice.
        """

        def work() -> ProgressMarker:
            with transaction.atomic():
                row = record_marker(player_id, marker)
                audit.record("record", by=by, player=player_id, object_type="marker", object_id=row.pk)
                return row

        return await in_database(work)


# --- reading -----------------------------------------------------------------------------------------


def load_state(player_id: Any) -> PlayerState:
    if not get_user_model().objects.filter(pk=player_id).exists():
        raise LookupError("no such player")
    profile, _ = PlayerProfile.objects.get_or_create(pk=player_id)
    active = (
        TherapeuticSession.objects.filter(player_id=player_id, closed_at=None).order_by("-resumed_at").first()
    )
    messages = latest_messages(player_id, _LOOK_BACK)
    state = PlayerState(
        player_id=player_id,
        settings=PlayerSettings(
            intensity=cast(Intensity, profile.intensity),
            approaches=tuple(profile.preferred_approaches),
            country=profile.country,
            language=cast(Language, profile.language),
            goal=Goal.from_json(profile.goal) if profile.goal else None,
        ),
        session=_context(active),
        head=profile.head,
        experiences=load_experiences(player_id),
        latest_exercise=load_latest_exercise(player_id),
        earned=load_earned(player_id),
        limits=_limits(profile),
        episode=Episode.from_json(profile.crisis_episode) if profile.crisis_episode else None,
    )
    load_runs(state, utc_now())
    _recall(state, messages)
    return state


def load_limits(player_id: Any) -> Limits:
    profile = PlayerProfile.objects.filter(pk=player_id).first()
    if profile is None:
        raise LookupError("no such player")
    return _limits(profile)


def _limits(profile: PlayerProfile) -> Limits:
    return Limits(
        contraindications=frozenset(profile.contraindications),
        allowed=frozenset(profile.allowed_exercises),
        denied=frozenset(profile.denied_exercises),
    )


def _recall(state: PlayerState, messages: list[OutgoingMessage]) -> None:
    """What was heard in any session, for danger does not end at a change of world; what was said, in this one."""
    for_worksheets = _for_worksheets(messages)
    for message in messages:
        if message.metadata.engine == "crisis":
            state.talked_of_danger_at = message.timestamp
        is_words = message.role == "user" and message.content.event is None
        if is_words and not {message.id, message.metadata.client_id} & for_worksheets:
            text = message.content.text
            assessment = assess_whatever_happens(assess, text, tuple(state.heard))
            state.heard.append(Heard(text, assessment))
    if state.session is not None:
        state.recent.extend(_utterances(messages, state.session.id))


def _is_of_worksheet(answer: OutgoingMessage) -> bool:
    return answer.metadata.engine == WORKSHEET_ENGINE


def _for_worksheets(messages: list[OutgoingMessage]) -> set[str | None]:
    """The ids of what was written for one."""
    return {message.metadata.in_reply_to for message in messages if _is_of_worksheet(message)}


def _utterances(messages: list[OutgoingMessage], session_id: UUID) -> Iterable[Utterance]:
    for_worksheets = _for_worksheets(messages)
    for message in messages:
        if message.session_id == str(session_id) and message.content.text:
            is_words = message.role == "user" and message.content.event is None
            if {message.id, message.metadata.client_id} & for_worksheets:
                continue
            if is_words:
                yield Utterance("player", message.content.text)
            elif message.role == "assistant":
                yield Utterance("companion", message.content.text)


def recent_utterances(player_id: Any, session_id: UUID) -> tuple[Utterance, ...]:
    return tuple(_utterances(latest_messages(player_id, _LOOK_BACK), session_id))[-RECENT_MAX:]


def find_session(
    player_id: Any, *, session_id: str | None = None, character_id: str = "", world_id: str = ""
) -> SessionContext | None:
    """An open session of this player, by its id or by what it is about."""
    own = TherapeuticSession.objects.filter(player_id=player_id, closed_at=None)
    if session_id is None:
        return _context(own.filter(character_id=character_id, world_id=world_id).first())
    try:
        return _context(own.filter(pk=UUID(session_id)).first())
    except ValueError:
        return None


def _context(row: TherapeuticSession | None) -> SessionContext | None:
    return None if row is None else SessionContext(row.id, row.character_id, row.world_id)
