"""The message log: every turn is appended here, and every frame a player sees again is read from here.

Turns that wait at the same moment share one transaction (group commit). Sequence numbers are given out in it,
under each player's own row, and a caller hears of its turn only once that transaction is on the disk.
"""

from __future__ import annotations

import asyncio
import secrets
import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from uuid import UUID

import orjson
import structlog
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, Field

from privacy.encryption import row_identity
from privacy.fields import keyring
from therapy.database import in_database, in_writer
from therapy.messages import (
    OutgoingContent,
    OutgoingMessage,
    OutgoingMetadata,
    UserMessage,
    new_id,
    plain,
    utc_now,
)
from therapy.models import Message, PlayerProfile

if TYPE_CHECKING:
    from therapy.sessions import PlayerState

log = structlog.get_logger()

WAITING_MAX = 4096
BATCH_MAX = 512
WRITABLE_SECONDS = 2.0
READ_MAX = 1000
_BODY = "therapy.message.body"


class JournalError(Exception):
    """A turn was not appended; nothing of it is stored. `may_retry`: the same turn can succeed later."""

    may_retry = True


class JournalFullError(JournalError):
    """More turns wait than the queue holds."""


class JournalUnavailableError(JournalError):
    """The database can't be reached, is locked, or has no room."""


class StaleStateError(JournalError):
    """What the turn was decided on has changed meanwhile: load again and decide anew."""


class RefusedTurnError(JournalError):
    """The database refuses this very turn."""

    may_retry = False


class Effect(Protocol):
    """Something a turn changes beside the log."""

    def apply(self) -> None:
        """Write it, inside the turn's transaction; StaleStateError if it can't be done any more."""

    def settle(self, state: PlayerState) -> None:
        """After the commit: bring the state kept in memory up to date."""


@dataclass(frozen=True, slots=True)
class Turn:
    """All that one act of a player causes, appended whole or not at all."""

    player_id: Any
    said: OutgoingMessage | None  # the player's own message; None where it stands in the log already
    act: dict[str, Any] = field(
        default_factory=dict
    )  # what the frame asked for, to tell a resend from another
    answers: tuple[OutgoingMessage, ...] = ()
    effects: tuple[Effect, ...] = ()
    is_awaiting_reply: bool = False  # the answers will be a turn of their own ...
    in_reply_to: str | None = None  # ... which names the message they answer, and is appended once

    @property
    def client_id(self) -> str | None:
        return self.said.metadata.client_id if self.said else None

    @property
    def messages(self) -> tuple[OutgoingMessage, ...]:
        return (self.said, *self.answers) if self.said else self.answers


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a turn stands in the log: from `seq` to `last_seq`, the player's message before its answers."""

    seq: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class AlreadyAppended:
    """The player's `client_id` stands in the log already; nothing was appended."""


@dataclass(slots=True)
class _Waiting:
    turn: Turn
    outcome: asyncio.Future[Appended | AlreadyAppended]


@dataclass(slots=True)
class Journal:
    """The queue of one event loop in front of the process's writer thread."""

    waiting: deque[_Waiting] = field(default_factory=deque)
    draining: asyncio.Task[None] | None = None
    probing: asyncio.Task[bool] | None = None

    async def append(self, turn: Turn) -> Appended | AlreadyAppended:
        """Commit `turn` together with whatever else waits; JournalError if it is not stored.

        Cancelling the caller does not take the turn back.
        """
        if len(self.waiting) >= WAITING_MAX:
            raise JournalFullError
        entry = _Waiting(turn, asyncio.get_running_loop().create_future())
        self.waiting.append(entry)
        if self.draining is None or self.draining.done():
            self.draining = asyncio.create_task(self._drain())
        return await entry.outcome

    async def is_writable(self) -> bool:
        """Whether a turn could be stored now, and within two seconds. One probe waits at a time, behind the turns."""
        if self.probing is None or self.probing.done():
            self.probing = asyncio.create_task(_probe())
        await asyncio.wait({self.probing}, timeout=WRITABLE_SECONDS)
        return self.probing.done() and self.probing.result()

    async def _drain(self) -> None:
        while self.waiting:
            batch = [self.waiting.popleft() for _ in range(min(BATCH_MAX, len(self.waiting)))]
            try:
                results = await in_writer(append_turns, [entry.turn for entry in batch])
            except Exception as error:  # noqa: BLE001  (whatever it is, the callers must hear of it)
                results = [error] * len(batch)
            for entry, result in zip(batch, results, strict=True):
                _tell(entry.outcome, result)


async def _probe() -> bool:
    try:
        await in_writer(write_and_remove)
    except Exception as error:
        log.warning("log_not_writable", exc_info=error)
        return False
    return True


def _tell(outcome: asyncio.Future[Any], result: Appended | AlreadyAppended | Exception) -> None:
    if outcome.done():  # its caller is gone
        return
    if isinstance(result, Exception):
        outcome.set_exception(result)
    else:
        outcome.set_result(result)


_journals: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Journal] = weakref.WeakKeyDictionary()


def journal() -> Journal:
    """The journal of the running event loop."""
    return _journals.setdefault(asyncio.get_running_loop(), Journal())


# --- in the writer thread ----------------------------------------------------------------------------


def append_turns(turns: Sequence[Turn]) -> list[Appended | AlreadyAppended | Exception]:
    """Append `turns` in one transaction; if one of them fails it, each by itself, so that only that one fails."""
    try:
        return list(_append_together(turns))
    except (OperationalError, InterfaceError) as error:
        unavailable = JournalUnavailableError()
        unavailable.__cause__ = error
        return [unavailable] * len(turns)
    except Exception as error:  # noqa: BLE001  (told to the turn that caused it)
        if len(turns) > 1:
            return [append_turns([turn])[0] for turn in turns]
        return [_as_journal_error(error)]


def _as_journal_error(error: Exception) -> Exception:
    if isinstance(error, JournalError):
        return error
    if isinstance(error, IntegrityError):  # another process did the same first
        stale = StaleStateError()
        stale.__cause__ = error
        return stale
    refused = RefusedTurnError() if isinstance(error, DatabaseError) else error
    refused.__cause__ = error if refused is not error else error.__cause__
    return refused


def _append_together(turns: Sequence[Turn]) -> Iterable[Appended | AlreadyAppended]:
    with transaction.atomic():
        heads = _lock_heads({turn.player_id for turn in turns})
        known = _known_client_ids(turns)
        outcomes: list[Appended | AlreadyAppended] = []
        rows: list[_Row] = []
        for turn in turns:
            key = (turn.player_id, turn.client_id)
            if turn.client_id is not None and key in known:
                outcomes.append(AlreadyAppended())
                continue
            known.add(key)
            seq = heads[turn.player_id] + 1
            heads[turn.player_id] += len(turn.messages)
            outcomes.append(Appended(seq, heads[turn.player_id]))
            rows += _rows(turn, seq)
        _insert(rows)
        for turn, outcome in zip(turns, outcomes, strict=True):
            if isinstance(outcome, Appended):
                if turn.in_reply_to is not None:
                    _take_reply_on(turn.in_reply_to)
                for effect in turn.effects:
                    effect.apply()
        _store_heads(heads)
    return outcomes


def _lock_heads(player_ids: set[Any]) -> dict[Any, int]:
    """The newest seq of each player, their rows locked in one order so that two processes never wait crosswise."""
    profiles = PlayerProfile.objects.select_for_update().filter(pk__in=player_ids).order_by("pk")
    heads = dict(profiles.values_list("pk", "head"))
    for missing in player_ids - heads.keys():
        PlayerProfile.objects.get_or_create(pk=missing)
        heads[missing] = (
            PlayerProfile.objects.select_for_update().values_list("head", flat=True).get(pk=missing)
        )
    return heads


def _known_client_ids(turns: Sequence[Turn]) -> set[tuple[Any, str | None]]:
    """Asked for as pairs: `player IN ... AND client_id IN ...` would look up every player with every id."""
    player = PlayerProfile._meta.pk
    named = [
        (player.get_db_prep_value(turn.player_id, connection), turn.client_id)
        for turn in turns
        if turn.client_id is not None
    ]
    if not named:
        return set()
    log_table = Message._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            pairs = f"unnest(%s::{_column_type(player)}[], %s::varchar[]) AS named (player_id, client_id)"
            select = f"SELECT player_id, client_id FROM {pairs} JOIN {log_table} USING (player_id, client_id)"  # noqa: S608
            cursor.execute(select, _columnwise(named))
        else:
            marks = ", ".join(["(%s, %s)"] * len(named))
            pairs = f"WITH named (player_id, client_id) AS (VALUES {marks})"
            select = (
                f"SELECT player_id, client_id FROM named CROSS JOIN {log_table} USING (player_id, client_id)"  # noqa: S608
            )
            cursor.execute(f"{pairs} {select}", [value for pair in named for value in pair])
        return {(player.to_python(player_id), client_id) for player_id, client_id in cursor.fetchall()}


def _take_reply_on(said_id: str) -> None:
    """A stored message gets its answer once, whoever else is answering it."""
    awaiting = Message.objects.filter(pk=_row_id(said_id), is_awaiting_reply=True)
    if not awaiting.update(is_awaiting_reply=False):
        raise StaleStateError


class _Row(NamedTuple):
    """A row of the log; ids as text, since that is how they come."""

    id: str
    player_id: Any
    seq: int
    session_id: str | None
    role: str
    client_id: str | None
    in_reply_to: str | None
    is_awaiting_reply: bool
    body: bytes
    created_at: datetime


def _rows(turn: Turn, seq: int) -> list[_Row]:
    answered = turn.in_reply_to or (turn.said.id if turn.said else None)
    answered_id = _id_text(answered) if answered else None
    return [_row(turn, message, seq + n, answered_id) for n, message in enumerate(turn.messages)]


def _row(turn: Turn, message: OutgoingMessage, seq: int, answered_id: str | None) -> _Row:
    is_said = message is turn.said
    row_id = _id_text(message.id)
    body: dict[str, Any] = {"content": message.content, "metadata": message.metadata}
    if is_said:
        body["act"] = turn.act
    plain_body = orjson.dumps(body, default=plain, option=orjson.OPT_UTC_Z)
    return _Row(
        id=row_id,
        player_id=turn.player_id,
        seq=seq,
        session_id=message.session_id,
        role=message.role,
        client_id=turn.client_id if is_said else None,
        in_reply_to=None if is_said else answered_id,
        is_awaiting_reply=is_said and turn.is_awaiting_reply,
        body=keyring().seal(plain_body, row_identity(_BODY, row_id)),
        created_at=message.timestamp,
    )


def _insert(rows: Sequence[_Row]) -> None:
    """Past the ORM, whose objects cost more than the rest of a turn; one statement on PostgreSQL."""
    if not rows:
        return
    fields = {field.attname: field for field in Message._meta.concrete_fields}
    into = f"INSERT INTO {Message._meta.db_table} ({', '.join(_Row._fields)})"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = ", ".join(f"%s::{_column_type(fields[name])}[]" for name in _Row._fields)
            cursor.execute(f"{into} SELECT * FROM unnest({arrays})", _columnwise(rows))  # noqa: S608
        else:
            marks = ", ".join(["%s"] * len(_Row._fields))
            cursor.executemany(f"{into} VALUES ({marks})", _adapted(rows))


def _adapted(rows: Sequence[_Row]) -> list[tuple[Any, ...]]:
    """As Django would write them where there are neither UUIDs nor times; field by field that takes ten times as long."""
    to_column, to_time = PlayerProfile._meta.pk.get_db_prep_value, connection.ops.adapt_datetimefield_value
    players = {player_id: to_column(player_id, connection) for player_id in {row.player_id for row in rows}}
    times = {at: to_time(at) for at in {row.created_at for row in rows}}
    return [
        (
            _hex(row.id),
            players[row.player_id],
            row.seq,
            _hex(row.session_id),
            row.role,
            row.client_id,
            _hex(row.in_reply_to),
            row.is_awaiting_reply,
            row.body,
            times[row.created_at],
        )
        for row in rows
    ]


def _hex(row_id: str | None) -> str | None:
    return row_id.replace("-", "") if row_id else row_id


def _columnwise(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(values) for values in zip(*rows, strict=True)]


def _column_type(column: Field[Any, Any]) -> str | None:
    return column.rel_db_type(connection) if column.is_relation else column.db_type(connection)


def _store_heads(heads: dict[Any, int]) -> None:
    table, key = PlayerProfile._meta.db_table, PlayerProfile._meta.pk
    pairs = [(key.get_db_prep_value(player_id, connection), head) for player_id, head in heads.items()]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            moved = f"unnest(%s::{_column_type(key)}[], %s::bigint[]) AS moved (player_id, head)"
            cursor.execute(
                f"UPDATE {table} SET head = moved.head FROM {moved}"  # noqa: S608
                f" WHERE {table}.{key.column} = moved.player_id",
                _columnwise(pairs),
            )
        else:
            pairs = [(head, player_id) for player_id, head in pairs]
            cursor.executemany(f"UPDATE {table} SET head = %s WHERE {key.column} = %s", pairs)  # noqa: S608


def write_and_remove() -> None:
    """Commit a row of the log and its removal, which nobody ever sees but which must reach the disk as a turn must."""
    player_id = PlayerProfile.objects.order_by("pk").values_list("pk", flat=True).first()
    if player_id is None:  # nobody whose words could be lost
        return
    with transaction.atomic():
        row = Message(player_id=player_id, seq=2**62 + secrets.randbits(60), session_id=new_id())
        row.role, row.body, row.created_at = "system", {}, utc_now()
        row.save(force_insert=True)
        row.delete()


# --- reading -----------------------------------------------------------------------------------------


def _id_text(message_id: str) -> str:
    return message_id.removeprefix("msg_")


def _row_id(message_id: str) -> UUID:
    return UUID(_id_text(message_id))


def restore(row: Message) -> OutgoingMessage:
    """The frame as it was sent live."""
    body: dict[str, Any] = row.body
    return OutgoingMessage(
        id=f"msg_{row.id}",
        role=row.role,
        session_id=str(row.session_id),
        content=OutgoingContent.model_validate(body["content"]),
        timestamp=row.created_at,
        metadata=OutgoingMetadata(**{**body["metadata"], "seq": row.seq}),
    )


def messages_after(player_id: Any, cursor: int, limit: int = READ_MAX) -> list[OutgoingMessage]:
    """At most `limit` frames of a player's log after sequence number `cursor`, in order."""
    rows = Message.objects.filter(player_id=player_id, seq__gt=cursor).order_by("seq")
    return [restore(row) for row in rows[:limit]]


def latest_messages(player_id: Any, limit: int) -> list[OutgoingMessage]:
    """The newest `limit` frames, oldest first."""
    rows = Message.objects.filter(player_id=player_id).order_by("-seq")[:limit]
    return [restore(row) for row in reversed(rows)]


@dataclass(frozen=True, slots=True)
class StoredTurn:
    said: OutgoingMessage
    act: dict[str, Any]
    answers: list[OutgoingMessage]


def stored_turn(player_id: Any, client_id: str) -> StoredTurn:
    """What stands in the log for an act that was sent before."""
    row = Message.objects.get(player_id=player_id, client_id=client_id)
    # A turn's rows lie together, so the scan ends soon however long the log is.
    nearby = Message.objects.filter(player_id=player_id, seq__gt=row.seq, seq__lte=row.seq + 64)
    answers = [restore(answer) for answer in nearby.filter(in_reply_to=row.id).order_by("seq")]
    return StoredTurn(said=restore(row), act=row.body["act"], answers=answers)


def awaiting_reply(player_id: Any) -> list[tuple[OutgoingMessage, UserMessage]]:
    """Messages of a player that were stored without an answer, with the frames they came in."""
    rows = Message.objects.filter(player_id=player_id, is_awaiting_reply=True).order_by("seq")
    return [
        (
            restore(row),
            UserMessage.model_validate(
                {**row.body["act"], "id": row.client_id, "session_id": str(row.session_id)}
            ),
        )
        for row in rows
    ]


def players_awaiting_reply(since: datetime) -> list[Any]:
    """Players with a message that has been without an answer since before `since`; at most 100."""
    rows = Message.objects.filter(is_awaiting_reply=True, created_at__lt=since)
    return list(rows.values_list("player_id", flat=True).distinct()[:100])


async def read_after(player_id: Any, cursor: int, limit: int = READ_MAX) -> list[OutgoingMessage]:
    return await in_database(messages_after, player_id, cursor, limit)


def heads_of(player_ids: Sequence[Any]) -> dict[Any, int]:
    """The newest sequence number of each player's log."""
    return dict(PlayerProfile.objects.filter(pk__in=player_ids).values_list("pk", "head"))


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a player finds who comes back."""

    head: int
    is_awaiting_reply: bool


def arrival(player_id: Any) -> Arrival:
    awaiting = Message.objects.filter(player_id=player_id, is_awaiting_reply=True)
    found = PlayerProfile.objects.filter(pk=player_id).values_list("head", Exists(awaiting)).first()
    return Arrival(*found) if found else Arrival(0, is_awaiting_reply=False)
