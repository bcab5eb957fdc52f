"""Makes players with access tokens, and, for the question whether cost grows, rows of others and long histories.

Run in the product's environment: `python -m benchmarks.players TOKENS_FILE [players] [others] [messages] [history]`.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.models import AbstractBaseUser  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from chat.auth import access_token  # noqa: E402
from therapy.messages import new_id, utc_now  # noqa: E402
from therapy.models import Message, PlayerProfile, TherapeuticSession  # noqa: E402

#: What of a history is read again; the rest is never opened and may be anything.
OPENED = 60
_SEALED_BYTES = 500


def make_players(count: int) -> list[AbstractBaseUser]:
    User = get_user_model()
    User.objects.bulk_create(
        [User(username=f"player{new_id()}", password="!none") for _ in range(count)], batch_size=1000
    )
    players = list(User.objects.order_by("-pk")[:count])
    PlayerProfile.objects.bulk_create([PlayerProfile(pk=player.pk) for player in players], batch_size=1000)
    return players


def give_history(player: AbstractBaseUser, count: int) -> None:
    """`count` messages, half the player's own; the newest ones can be read."""
    session = TherapeuticSession.objects.create(player=player, opened_at=utc_now(), resumed_at=utc_now())
    fill_log([player.pk], [session.pk.hex], count - OPENED)
    for seq in range(count - OPENED + 1, count + 1):
        role = "user" if seq % 2 else "assistant"
        content = {"text": f"number {seq}, and it was an ordinary day", "elements": []}
        Message.objects.create(
            player=player,
            seq=seq,
            session=session,
            role=role,
            created_at=utc_now(),
            body={"content": content, "metadata": {}, "act": {}},
        )
    PlayerProfile.objects.filter(pk=player.pk).update(head=count)


def add_others(players: int, messages: int) -> None:
    """Many other players, each with a session and an equal share of the messages."""
    made = make_players(players)
    sessions = [
        TherapeuticSession(player=player, opened_at=utc_now(), resumed_at=utc_now()) for player in made
    ]
    TherapeuticSession.objects.bulk_create(sessions, batch_size=2000)
    each = messages // players
    fill_log([player.pk for player in made], [session.pk.hex for session in sessions], each)
    PlayerProfile.objects.filter(pk__in=range(made[-1].pk, made[0].pk + 1)).update(head=each)


def fill_log(player_ids: list[int], session_ids: list[str], each: int) -> None:
    """Rows that nobody will open, made by the database itself; ids rise with time as the product's do."""
    columns = (
        "id, player_id, seq, session_id, role, client_id, in_reply_to, is_awaiting_reply, body, created_at"
    )
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE others (n integer, player_id bigint, session_id varchar(36))")
        rows = list(zip(range(len(player_ids)), player_ids, session_ids, strict=True))
        cursor.executemany("INSERT INTO others VALUES (%s, %s, %s)", rows)
        salt = f"{player_ids[0] % 0xFFFF:04x}"
        if connection.vendor == "postgresql":
            ident = (
                f"('018f' || '{salt}' || lpad(to_hex(others.n), 8, '0') || lpad(to_hex(k), 16, '0'))::uuid"
            )
            series = f"generate_series(1, {each}) AS series(k)"
            body, session = f"decode(repeat('ab', {_SEALED_BYTES}), 'hex')", "session_id::uuid"
            client, never = "CASE WHEN k % 2 = 1 THEN 'c' || k END", "false"
        else:
            ident = f"'018f' || '{salt}' || printf('%08x', others.n) || printf('%016x', k)"
            series = f"(WITH RECURSIVE s(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM s WHERE k < {each}) SELECT k FROM s)"
            body, session = f"zeroblob({_SEALED_BYTES})", "session_id"
            client, never = "CASE WHEN k % 2 = 1 THEN 'c' || k END", "0"
        role = "CASE WHEN k % 2 = 1 THEN 'user' ELSE 'assistant' END"
        statement = (
            f"INSERT INTO {Message._meta.db_table} ({columns}) SELECT {ident}, player_id, k, {session}, {role},"
            f" {client}, NULL, {never}, {body}, CURRENT_TIMESTAMP FROM {series} CROSS JOIN others"
        )
        cursor.execute(statement)
        cursor.execute("DROP TABLE others")


def analyze() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def main(tokens: str, players: int, others: int, messages: int, history: int) -> None:
    with transaction.atomic():
        if others:
            add_others(others, messages)
        measured = make_players(players)
        if history:
            for player in measured:
                give_history(player, history)
        lines = [access_token(player, timedelta(days=1)) for player in measured]
    Path(tokens).write_text("\n".join(lines))
    analyze()


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[2:]]
    main(sys.argv[1], *(numbers + [0] * (4 - len(numbers))))
