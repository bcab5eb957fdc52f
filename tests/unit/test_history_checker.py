"""The checker itself: a history without a fault passes, and each kind of fault is found and named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.history import Record, Row, Seen, violations

ANA, CLEO = 1, 2


def talk(player: int, turns: int = 3) -> list[Row]:
    """A log of messages, each with its reply."""
    rows = []
    for turn in range(turns):
        said = Row(player, 2 * turn + 1, f"{player}-said-{turn}", f"c{turn}", "user")
        rows += [said, Row(player, 2 * turn + 2, f"{player}-reply-{turn}", in_reply_to=said.id)]
    return rows


def speaker(rows: list[Row], device: str = "phone") -> Record:
    """The device that said everything: of its own messages it got acks."""
    acks = {row.client_id: row.seq for row in rows if row.client_id}
    seen = [Seen(row.seq, None if row.client_id else row.id, row.client_id) for row in rows]
    return Record(rows[0].player_id, device, acknowledged=acks, seen=seen)


def listener(rows: list[Row], device: str = "laptop") -> Record:
    seen = [Seen(row.seq, row.id, row.client_id) for row in rows]
    return Record(rows[0].player_id, device, seen=seen)


@pytest.fixture
def log() -> list[Row]:
    return talk(ANA)


def test_history_without_a_fault_passes(log: list[Row]) -> None:
    others = talk(CLEO)
    markers = [(ANA, "run 1"), (ANA, "run 2"), (CLEO, "run 3")]
    assert violations(log + others, [speaker(log), listener(log), speaker(others)], markers) == []


def test_device_that_joined_later_owes_nothing_before(log: list[Row]) -> None:
    late = replace(listener(log[2:]), start=2)
    assert violations(log, [late]) == []


def test_ack_before_commit_is_found(log: list[Row]) -> None:
    stored = log[:4]
    device = speaker(stored)
    device.acknowledged["c2"] = 5
    assert violations(stored, [device]) == ["phone was acknowledged c2, which is not stored"]


def test_ack_with_another_seq_is_found(log: list[Row]) -> None:
    device = speaker(log)
    device.acknowledged["c0"] = 3
    assert violations(log, [device]) == ["phone was acknowledged c0 as 3, stored as 1"]


def test_dropped_row_is_found(log: list[Row]) -> None:
    held = log[:3] + log[4:]
    assert violations(held, [speaker(held)]) == [
        "player 1's log is not 1 to 5: [4] missing",
        "player 1's message at 3 has 0 replies",
    ]


def test_two_rows_swapped_are_found(log: list[Row]) -> None:
    device = listener(log)
    log[3], log[5] = replace(log[3], seq=6), replace(log[5], seq=4)
    assert violations(log, [device]) == [
        "laptop got another frame at 4 than the log holds",
        "laptop got another frame at 6 than the log holds",
    ]


def test_nudge_for_the_wrong_player_is_found(log: list[Row]) -> None:
    others = talk(CLEO)
    device = speaker(log)
    device.seen[3] = Seen(4, others[3].id, None)
    found = violations(log + others, [device])
    assert found[0] == "phone got player 2's message 2-reply-1"


def test_message_stored_twice_is_found(log: list[Row]) -> None:
    again = Row(ANA, 7, "again", "c0", "user")
    log += [again, Row(ANA, 8, "reply again", in_reply_to=again.id)]
    assert violations(log, [listener(log)]) == ["player 1's c0 stands in the log 2 times"]


def test_message_answered_twice_is_found(log: list[Row]) -> None:
    log.append(Row(ANA, 7, "reply again", in_reply_to=log[0].id))
    assert violations(log, [listener(log)]) == ["player 1's message at 1 has 2 replies"]


def test_message_left_without_its_reply_is_found(log: list[Row]) -> None:
    log.append(Row(ANA, 7, "unanswered", "c9", "user", is_awaiting_reply=True))
    assert violations(log, [listener(log)]) == [
        "player 1's message at 7 has 0 replies",
        "player 1's message at 7 still awaits its reply",
    ]


def test_frame_sent_twice_is_found(log: list[Row]) -> None:
    device = listener(log)
    device.seen.insert(2, device.seen[1])
    assert violations(log, [device]) == ["laptop got 2 after 2"]


def test_frame_sent_late_is_found(log: list[Row]) -> None:
    device = listener(log)
    device.seen[2], device.seen[3] = device.seen[3], device.seen[2]
    assert violations(log, [device]) == ["laptop got 3 after 4"]


def test_frame_that_one_device_never_got_is_found(log: list[Row]) -> None:
    assert violations(log, [speaker(log), listener(log[:-1])]) == ["laptop never got 6"]


def test_frame_that_nobody_stored_is_found(log: list[Row]) -> None:
    device = listener(log)
    device.seen.append(Seen(7, "made up", None))
    assert violations(log, [device]) == ["laptop got nobody's message made up"]


def test_marker_for_one_run_twice_is_found(log: list[Row]) -> None:
    assert violations(log, [], [(ANA, "run 1"), (ANA, "run 1")]) == ["player 1 got 2 markers for run run 1"]
