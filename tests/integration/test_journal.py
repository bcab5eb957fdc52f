"""The message log in the database: order, atomicity, one commit for many turns."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError, OperationalError, connection

from therapy import journal as log
from therapy.database import in_database
from therapy.journal import (
    AlreadyAppended,
    Appended,
    JournalFullError,
    JournalUnavailableError,
    RefusedTurnError,
    StaleStateError,
    Turn,
    append_turns,
    journal,
)
from therapy.messages import OutgoingContent, OutgoingMessage, OutgoingMetadata, new_id, utc_now
from therapy.models import ExerciseRun, Message, PlayerProfile, TherapeuticSession

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session_of():
    def session_of(player) -> TherapeuticSession:
        now = utc_now()
        found, _ = TherapeuticSession.objects.get_or_create(
            player=player, closed_at=None, defaults={"opened_at": now, "resumed_at": now}
        )
        return found

    return session_of


@pytest.fixture
def turn_of(session_of):
    def turn_of(
        player, text: str = "hello", *, client_id: str | None = None, answers: int = 1, **more: Any
    ) -> Turn:
        session_id = str(session_of(player).pk)

        def message(role, content, **metadata) -> OutgoingMessage:
            content, metadata = OutgoingContent(text=content), OutgoingMetadata(**metadata)
            return OutgoingMessage(role=role, session_id=session_id, content=content, metadata=metadata)

        said = message("user", text, client_id=client_id)
        replies = tuple(message("assistant", f"{text}, answered {n}") for n in range(answers))
        return Turn(player.pk, said, {"type": "user_message", "content": {"text": text}}, replies, **more)

    return turn_of


@dataclass
class Note:
    """An effect that writes a row, and fails if it is told to."""

    player: Any
    session: TherapeuticSession
    error: Exception | None = None
    settled: list[Any] = field(default_factory=list)

    def apply(self) -> None:
        ExerciseRun.objects.create(
            id=new_id(),
            player=self.player,
            session=self.session,
            exercise=str(new_id()),
            started_at=utc_now(),
        )
        if self.error is not None:
            raise self.error

    def settle(self, state: Any) -> None:
        self.settled.append(state)


def stored_texts() -> list[str]:
    return [row.body["content"]["text"] for row in Message.objects.order_by("player_id", "seq")]


# --- order -------------------------------------------------------------------------------------------


def test_first_turn_of_a_player_starts_at_1(ana, turn_of):
    assert append_turns([turn_of(ana)]) == [Appended(1, 2)]


def test_turns_of_one_player_follow_each_other_within_a_commit(ana, turn_of):
    assert append_turns([turn_of(ana), turn_of(ana, answers=2), turn_of(ana)]) == [
        Appended(1, 2),
        Appended(3, 5),
        Appended(6, 7),
    ]


def test_turns_follow_each_other_over_commits(ana, turn_of):
    append_turns([turn_of(ana)])
    assert append_turns([turn_of(ana)]) == [Appended(3, 4)]


def test_players_have_numbers_of_their_own(ana, cleo, turn_of):
    assert append_turns([turn_of(ana), turn_of(cleo)]) == [Appended(1, 2), Appended(1, 2)]


def test_head_is_the_newest_number(ana, turn_of):
    append_turns([turn_of(ana), turn_of(ana)])
    assert PlayerProfile.objects.get(pk=ana.pk).head == 4
    assert log.heads_of([ana.pk]) == {ana.pk: 4}


def test_arrival_of_somebody_new_finds_an_empty_log(ana):
    assert log.arrival(ana.pk) == log.Arrival(0, is_awaiting_reply=False)


# --- all or nothing ----------------------------------------------------------------------------------


def test_effects_are_written_with_their_turn(ana, turn_of, session_of):
    append_turns([turn_of(ana, effects=(Note(ana, session_of(ana)),))])
    assert (Message.objects.count(), ExerciseRun.objects.count()) == (2, 1)


def test_turn_whose_effect_fails_leaves_nothing(ana, turn_of, session_of):
    effects = (Note(ana, session_of(ana)), Note(ana, session_of(ana), RuntimeError()))
    (outcome,) = append_turns([turn_of(ana, effects=effects)])
    assert isinstance(outcome, RuntimeError)
    assert (Message.objects.count(), ExerciseRun.objects.count()) == (0, 0)


def test_one_bad_turn_in_a_batch_fails_alone(ana, cleo, turn_of, session_of):
    bad = turn_of(ana, "bad", effects=(Note(ana, session_of(ana), RuntimeError()),))
    outcomes = append_turns([turn_of(ana, "one"), bad, turn_of(cleo, "two"), turn_of(ana, "three")])
    assert isinstance(outcomes[1], RuntimeError)
    assert [outcomes[0], outcomes[2], outcomes[3]] == [Appended(1, 2), Appended(1, 2), Appended(3, 4)]


def test_one_bad_turn_in_a_batch_leaves_no_gap(ana, turn_of, session_of):
    bad = turn_of(ana, effects=(Note(ana, session_of(ana), RuntimeError()),))
    append_turns([turn_of(ana), bad, turn_of(ana)])
    assert list(Message.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3, 4]


def test_stale_turn_says_so_and_leaves_nothing(ana, turn_of, session_of):
    (outcome,) = append_turns([turn_of(ana, effects=(Note(ana, session_of(ana), StaleStateError()),))])
    assert isinstance(outcome, StaleStateError)
    assert not Message.objects.exists()


def test_row_that_another_process_was_first_with_makes_a_turn_stale(ana, turn_of, session_of):
    turn = turn_of(ana)
    append_turns([turn])
    (outcome,) = append_turns([Turn(ana.pk, turn.said, {}, ())])
    assert isinstance(outcome, StaleStateError)


def test_turn_that_the_database_refuses_is_not_worth_a_retry(ana, turn_of, session_of):
    (outcome,) = append_turns([turn_of(ana, effects=(Note(ana, session_of(ana), DataError()),))])
    assert isinstance(outcome, RefusedTurnError)
    assert not outcome.may_retry


def test_database_that_is_gone_fails_the_whole_batch_for_now(ana, turn_of, monkeypatch):
    def gone(turns):
        raise OperationalError("database is locked")

    monkeypatch.setattr(log, "_append_together", gone)
    outcomes = append_turns([turn_of(ana), turn_of(ana)])
    assert [type(outcome) for outcome in outcomes] == [JournalUnavailableError] * 2
    assert outcomes[0].may_retry


# --- the same id again -------------------------------------------------------------------------------


def test_known_client_id_appends_nothing(ana, turn_of):
    append_turns([turn_of(ana, client_id="m1")])
    assert append_turns([turn_of(ana, client_id="m1")]) == [AlreadyAppended()]
    assert Message.objects.count() == 2


def test_same_client_id_twice_in_a_batch_is_appended_once(ana, turn_of):
    outcomes = append_turns([turn_of(ana, client_id="m1"), turn_of(ana, client_id="m1"), turn_of(ana)])
    assert outcomes == [Appended(1, 2), AlreadyAppended(), Appended(3, 4)]


def test_known_client_id_applies_no_effect(ana, turn_of, session_of):
    append_turns([turn_of(ana, client_id="m1")])
    append_turns([turn_of(ana, client_id="m1", effects=(Note(ana, session_of(ana)),))])
    assert not ExerciseRun.objects.exists()


def test_client_ids_are_each_players_own(ana, cleo, turn_of):
    append_turns([turn_of(ana, client_id="m1")])
    assert append_turns([turn_of(cleo, client_id="m1")]) == [Appended(1, 2)]


def test_turns_without_client_id_are_never_the_same(ana, turn_of):
    assert append_turns([turn_of(ana), turn_of(ana)]) == [Appended(1, 2), Appended(3, 4)]


def test_stored_turn_gives_back_what_was_said_and_answered(ana, turn_of):
    turn = turn_of(ana, client_id="m1", answers=2)
    append_turns([turn_of(ana), turn, turn_of(ana)])
    stored = log.stored_turn(ana.pk, "m1")
    assert (stored.said.id, stored.act) == (turn.said.id, turn.act)
    assert [answer.id for answer in stored.answers] == [answer.id for answer in turn.answers]


# --- reading -----------------------------------------------------------------------------------------


def test_messages_after_a_cursor_come_in_order_up_to_the_limit(ana, turn_of):
    append_turns([turn_of(ana) for _ in range(4)])
    found = log.messages_after(ana.pk, 2, limit=3)
    assert [message.metadata.seq for message in found] == [3, 4, 5]


def test_latest_messages_come_oldest_first(ana, turn_of):
    append_turns([turn_of(ana) for _ in range(4)])
    assert [message.metadata.seq for message in log.latest_messages(ana.pk, 3)] == [6, 7, 8]


def test_nobody_reads_another_players_messages(ana, cleo, turn_of):
    append_turns([turn_of(ana, "secret"), turn_of(cleo, "hello")])
    texts = [message.content.text for message in log.messages_after(cleo.pk, 0)]
    assert texts == ["hello", "hello, answered 0"]


def test_words_are_sealed_in_the_database(ana, turn_of):
    append_turns([turn_of(ana, "zanzibar")])
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM therapy_message")
        bodies = [bytes(body) for (body,) in cursor.fetchall()]
    assert len(bodies) == 2
    assert not any(b"zanzibar" in body for body in bodies)
    assert stored_texts() == ["zanzibar", "zanzibar, answered 0"]


def test_words_moved_to_another_row_do_not_open(ana, turn_of):
    from privacy.encryption import EncryptionError

    append_turns([turn_of(ana)])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE therapy_message SET body = (SELECT body FROM therapy_message WHERE seq = 2)")
    with pytest.raises(EncryptionError):
        stored_texts()


# --- messages whose answer comes later ---------------------------------------------------------------


def waiting(turn_of, player, **more) -> Turn:
    return turn_of(player, answers=0, is_awaiting_reply=True, **more)


def answer_to(turn: Turn, other: Turn) -> Turn:
    return Turn(turn.player_id, None, answers=other.answers, in_reply_to=turn.said.id)


def test_message_may_be_stored_before_its_answer(ana, turn_of):
    turn = waiting(turn_of, ana)
    assert append_turns([turn]) == [Appended(1, 1)]
    assert [said.id for said, _ in log.awaiting_reply(ana.pk)] == [turn.said.id]
    assert log.arrival(ana.pk) == log.Arrival(1, is_awaiting_reply=True)


def test_answer_that_came_later_ends_the_waiting(ana, turn_of):
    turn = waiting(turn_of, ana)
    append_turns([turn])
    assert append_turns([answer_to(turn, turn_of(ana))]) == [Appended(2, 2)]
    assert log.awaiting_reply(ana.pk) == []


def test_second_answer_is_stale(ana, turn_of):
    turn = waiting(turn_of, ana)
    append_turns([turn])
    append_turns([answer_to(turn, turn_of(ana))])
    (outcome,) = append_turns([answer_to(turn, turn_of(ana))])
    assert isinstance(outcome, StaleStateError)


def test_answer_that_came_later_belongs_to_the_stored_turn(ana, turn_of):
    turn = waiting(turn_of, ana, client_id="m1")
    append_turns([turn])
    assert log.stored_turn(ana.pk, "m1").answers == []
    append_turns([answer_to(turn, turn_of(ana))])
    assert len(log.stored_turn(ana.pk, "m1").answers) == 1


def test_frame_of_a_waiting_message_is_given_back(ana, turn_of):
    append_turns([waiting(turn_of, ana, client_id="m1")])
    ((_, frame),) = log.awaiting_reply(ana.pk)
    assert (frame.id, frame.content.text) == ("m1", "hello")


def test_players_that_wait_too_long_are_found(ana, cleo, turn_of):
    append_turns([waiting(turn_of, ana), turn_of(cleo)])
    assert log.players_awaiting_reply(utc_now() + timedelta(seconds=1)) == [ana.pk]
    assert log.players_awaiting_reply(utc_now() - timedelta(minutes=1)) == []


# --- the queue ---------------------------------------------------------------------------------------


@pytest.fixture
def batches(monkeypatch):
    sizes: list[int] = []

    def counted(turns):
        sizes.append(len(turns))
        return append_turns(turns)

    monkeypatch.setattr(log, "append_turns", counted)
    return sizes


async def turns_of(turn_of, player, count: int) -> list[Turn]:
    return [await in_database(turn_of, player, f"turn {n}") for n in range(count)]


async def test_turns_that_wait_at_the_same_moment_share_a_commit(ana, turn_of, batches):
    turns = await turns_of(turn_of, ana, 20)
    await asyncio.gather(*(journal().append(turn) for turn in turns))
    assert sum(batches) == 20
    assert len(batches) <= 2


async def test_turns_are_appended_in_the_order_in_which_they_came(ana, turn_of):
    turns = await turns_of(turn_of, ana, 20)
    outcomes = await asyncio.gather(*(journal().append(turn) for turn in turns))
    assert [outcome.seq for outcome in outcomes] == list(range(1, 41, 2))


async def test_batch_is_bounded(ana, turn_of, batches, monkeypatch):
    monkeypatch.setattr(log, "BATCH_MAX", 5)
    turns = await turns_of(turn_of, ana, 12)
    await asyncio.gather(*(journal().append(turn) for turn in turns))
    assert max(batches) <= 5


async def test_full_journal_refuses_for_now(ana, turn_of, monkeypatch):
    monkeypatch.setattr(log, "WAITING_MAX", 1)
    turns = await turns_of(turn_of, ana, 2)
    first = asyncio.ensure_future(journal().append(turns[0]))
    await asyncio.sleep(0)
    with pytest.raises(JournalFullError) as caught:
        await journal().append(turns[1])
    assert caught.value.may_retry
    assert await first == Appended(1, 2)


async def test_cancelled_caller_takes_its_turn_not_back(ana, turn_of):
    (turn,) = await turns_of(turn_of, ana, 1)
    caller = asyncio.ensure_future(journal().append(turn))
    await asyncio.sleep(0)
    caller.cancel()
    (other,) = await turns_of(turn_of, ana, 1)
    assert await journal().append(other) == Appended(3, 4)


async def test_writer_that_fails_as_a_whole_tells_everybody(ana, turn_of, monkeypatch):
    def fail(turns):
        raise MemoryError

    monkeypatch.setattr(log, "append_turns", fail)
    turns = await turns_of(turn_of, ana, 3)
    outcomes = await asyncio.gather(*(journal().append(turn) for turn in turns), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [MemoryError] * 3


async def test_journal_goes_on_after_a_failure(ana, turn_of, monkeypatch):
    def fail(turns):
        raise MemoryError

    turns = await turns_of(turn_of, ana, 2)
    with monkeypatch.context() as patched:
        patched.setattr(log, "append_turns", fail)
        with pytest.raises(MemoryError):
            await journal().append(turns[0])
    assert await journal().append(turns[1]) == Appended(1, 2)
