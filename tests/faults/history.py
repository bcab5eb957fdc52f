"""What must hold however often things broke: checked over what devices saw and what the log holds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """A frame as the log holds it; `id` and `in_reply_to` are ids of rows, `client_id` the sender's own."""

    player_id: int
    seq: int
    id: str
    client_id: str | None = None
    role: str = "assistant"
    in_reply_to: str | None = None
    is_awaiting_reply: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A durable frame as a device got it; of its own message it learns no `id`, only the `client_id`'s ack."""

    seq: int
    id: str | None
    client_id: str | None


@dataclass(slots=True)
class Record:
    """All that one device of a player saw from `start` on, across its connections."""

    player_id: int
    device: str
    start: int = 0
    acknowledged: dict[str, int] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)


def violations(
    log: Sequence[Row], records: Iterable[Record], markers: Sequence[tuple[int, str]] = ()
) -> list[str]:
    """One sentence for each broken promise; none if all were kept.

    `markers` are pairs of a player and the exercise run that earned the marker. Call it once nothing is under way.
    """
    by_player: dict[int, list[Row]] = defaultdict(list)
    for row in log:
        by_player[row.player_id].append(row)
    found = [*_doubles(log), *_marked_twice(markers)]
    for player_id, rows in by_player.items():
        found += _gaps(player_id, rows)
        found += _replies(player_id, rows)
    for record in records:
        found += _not_stored(record, by_player[record.player_id])
        found += _out_of_order(record)
        found += _foreign(record, by_player)
        found += _differing(record, by_player[record.player_id])
    return found


def _doubles(log: Sequence[Row]) -> Iterator[str]:
    for id, count in Counter(row.id for row in log).items():
        if count > 1:
            yield f"message {id} stands in the log {count} times"
    named = Counter((row.player_id, row.client_id) for row in log if row.client_id is not None)
    for (player_id, client_id), count in named.items():
        if count > 1:
            yield f"player {player_id}'s {client_id} stands in the log {count} times"


def _marked_twice(markers: Sequence[tuple[int, str]]) -> Iterator[str]:
    for (player_id, run), count in Counter(markers).items():
        if count > 1:
            yield f"player {player_id} got {count} markers for run {run}"


def _gaps(player_id: int, rows: list[Row]) -> Iterator[str]:
    seqs = sorted(row.seq for row in rows)
    if seqs != list(range(1, len(seqs) + 1)):
        missing = sorted(set(range(1, seqs[-1] + 1)) - set(seqs))
        yield f"player {player_id}'s log is not 1 to {len(seqs)}: {missing[:5]} missing"


def _replies(player_id: int, rows: list[Row]) -> Iterator[str]:
    replies = Counter(row.in_reply_to for row in rows if row.in_reply_to is not None)
    for row in rows:
        if row.role == "user" and replies[row.id] != 1:
            yield f"player {player_id}'s message at {row.seq} has {replies[row.id]} replies"
        if row.is_awaiting_reply:
            yield f"player {player_id}'s message at {row.seq} still awaits its reply"


def _not_stored(record: Record, rows: list[Row]) -> Iterator[str]:
    stored = {row.client_id: row.seq for row in rows if row.client_id is not None}
    for client_id, seq in record.acknowledged.items():
        if client_id not in stored:
            yield f"{record.device} was acknowledged {client_id}, which is not stored"
        elif stored[client_id] != seq:
            yield f"{record.device} was acknowledged {client_id} as {seq}, stored as {stored[client_id]}"


def _out_of_order(record: Record) -> Iterator[str]:
    cursor = record.start
    for frame in record.seen:
        if frame.seq <= cursor:
            yield f"{record.device} got {frame.seq} after {cursor}"
        cursor = max(cursor, frame.seq)


def _foreign(record: Record, by_player: dict[int, list[Row]]) -> Iterator[str]:
    own = {row.id for row in by_player[record.player_id]}
    others = {
        row.id: player for player, rows in by_player.items() for row in rows if player != record.player_id
    }
    for frame in record.seen:
        if frame.id is not None and frame.id not in own:
            owner = f"player {others[frame.id]}'s" if frame.id in others else "nobody's"
            yield f"{record.device} got {owner} message {frame.id}"


def _differing(record: Record, rows: list[Row]) -> Iterator[str]:
    """Whether the device's frames are the log's, each at its place and none missing."""
    held = {row.seq: row for row in rows if row.seq > record.start}
    seen = {frame.seq: frame for frame in record.seen}
    for seq in sorted(held.keys() - seen.keys()):
        yield f"{record.device} never got {seq}"
    for seq in sorted(held.keys() & seen.keys()):
        row, frame = held[seq], seen[seq]
        is_same = frame.id == row.id if frame.id is not None else frame.client_id == row.client_id
        if not is_same:
            yield f"{record.device} got another frame at {seq} than the log holds"
