"""People to try the product with: a player, her clinician, an outsider and an administrator."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from therapy.access import clinicians
from therapy.models import CareAssignment


class Person(NamedTuple):
    name: str
    what: str
    is_clinician: bool = False
    is_superuser: bool = False

    @property
    def password(self) -> str:
        return f"{self.name}-demo-pass"


PEOPLE = (
    Person("ana", "player"),
    Person("ben", "clinician of ana", is_clinician=True),
    Person("cleo", "clinician of nobody: sees no player", is_clinician=True),
    Person("admin", "administrator: manages accounts and who looks after whom", is_superuser=True),
)


def ensure(person: Person) -> Any:
    """The account with its role. The password is set once: another one would end the tokens of open pages."""
    User = get_user_model()
    account = User._default_manager.filter(**{User.USERNAME_FIELD: person.name}).first()
    if account is None:
        account = User(**{User.USERNAME_FIELD: person.name})
        account.set_password(person.password)
    account.is_staff = person.is_clinician or person.is_superuser
    account.is_superuser = person.is_superuser
    account.save()
    if person.is_clinician:
        account.groups.add(clinicians())
    return account


def address(scheme: str) -> str:
    host = getattr(settings, "HOST", "127.0.0.1")
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104  (not bound here)
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{scheme}://{host}:{getattr(settings, 'PORT', 8000)}"


class Command(BaseCommand):
    help = "Make the demo accounts, if they are missing, and print how to log in. For debug mode only."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError(
                "Demo accounts have public passwords: they are made in debug mode (DEBUG=1) only."
            )
        with transaction.atomic():
            accounts = {person.name: ensure(person) for person in PEOPLE}
            CareAssignment.objects.get_or_create(clinician=accounts["ben"], player=accounts["ana"])
        self._print_logins(accounts)
        self.stdout.write(
            f"\n  Chat    {address('http')}/\n  Admin   {address('http')}/admin/\n\n"
            f"wscat -c {address('ws')}/ws/chat -s chat.v1"
            " -s bearer.$(.venv/bin/python manage.py issue_token ana)"
        )

    def _print_logins(self, accounts: dict[str, Any]) -> None:
        for person in PEOPLE:
            is_ours = accounts[person.name].check_password(person.password)
            password = person.password if is_ours else "(your own password)"
            self.stdout.write(f"  {person.name:<7} {password:<20} {person.what}")
