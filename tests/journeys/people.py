"""Run in a process of its own: a fresh database with the demo people and as many players as the journeys need."""

from __future__ import annotations

PASSWORD = "a-quiet-walk-by-the-river"
PLAYERS = tuple(f"ana{number}" for number in range(1, 61))


def prepare(names: tuple[str, ...]) -> None:
    from django.contrib.auth import get_user_model
    from django.contrib.auth.hashers import make_password
    from django.core.management import call_command

    from therapy.models import CareAssignment

    call_command("migrate", verbosity=0)
    call_command("demo", verbosity=0)
    User = get_user_model()
    password = make_password(PASSWORD)
    players = User.objects.bulk_create(User(username=name, password=password) for name in names)
    ben = User.objects.get(username="ben")
    for player in players:
        CareAssignment.objects.create(clinician=ben, player=player)


if __name__ == "__main__":
    import os
    import sys

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    prepare(PLAYERS[: int(sys.argv[1])])
