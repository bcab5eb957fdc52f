"""Access tokens for trying things out with wscat, websocat, scripts and benchmarks."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.management.base import BaseCommand, CommandError

from chat.auth import access_token


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError("a whole number of seconds, 1 or more")
    return int(text)


def player_named(name: str) -> AbstractBaseUser:
    """The account of that name, or a new one that no password opens."""
    User = get_user_model()
    account: AbstractBaseUser | None = User._default_manager.filter(**{User.USERNAME_FIELD: name}).first()
    if account is None:
        account = User(**{User.USERNAME_FIELD: name})
        account.set_unusable_password()
        account.save()
    return account


class Command(BaseCommand):
    help = "Print one access token a line, for each NAME; a player who does not exist is made. For debug mode only."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="+", metavar="NAME")
        parser.add_argument("--seconds", type=positive, metavar="N", help="how long the tokens are good")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError(
                "Tokens for the asking are issued in debug mode (DEBUG=1) only. Use POST /api/token/."
            )
        lifetime = timedelta(seconds=options["seconds"]) if options["seconds"] else None
        for name in options["names"]:
            self.stdout.write(access_token(player_named(name), lifetime))
