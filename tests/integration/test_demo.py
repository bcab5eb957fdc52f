from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from therapy.access import may_see
from therapy.models import CareAssignment

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def debug(settings: Any) -> Iterator[None]:
    settings.DEBUG = True
    return


def demo() -> str:
    output = StringIO()
    call_command("demo", stdout=output)
    return output.getvalue()


def account(name: str) -> Any:
    return get_user_model().objects.get(username=name)


def test_printed_passwords_open_the_accounts() -> None:
    lines = demo().splitlines()[:4]
    printed = dict(line.split()[:2] for line in lines)
    assert list(printed) == ["ana", "ben", "cleo", "admin"]
    assert all(account(name).check_password(password) for name, password in printed.items())


def test_everybody_has_their_part() -> None:
    demo()
    staff = {
        name: (account(name).is_staff, account(name).is_superuser) for name in ("ana", "ben", "cleo", "admin")
    }
    assert staff == {
        "ana": (False, False),
        "ben": (True, False),
        "cleo": (True, False),
        "admin": (True, True),
    }


def test_ben_looks_after_ana_and_cleo_after_nobody() -> None:
    demo()
    assert may_see(account("ben"), account("ana").pk)
    assert not may_see(account("cleo"), account("ana").pk)
    assert not may_see(account("admin"), account("ana").pk)


def test_clinicians_have_the_permissions_of_their_group() -> None:
    demo()
    assert account("ben").has_perm("therapy.view_progressmarker")
    assert not account("ben").has_perm("therapy.add_careassignment")


def test_second_run_changes_nothing() -> None:
    first = demo()
    before = list(get_user_model().objects.order_by("pk").values("pk", "username", "password"))
    assert demo() == first
    assert list(get_user_model().objects.order_by("pk").values("pk", "username", "password")) == before
    assert CareAssignment.objects.count() == 1


def test_changed_password_is_kept_and_not_claimed_to_be_ours() -> None:
    demo()
    ben = account("ben")
    ben.set_password("my own")
    ben.save()
    assert "ben-demo-pass" not in demo()
    assert account("ben").check_password("my own")


def test_addresses_and_wscat_line_follow_host_and_port(settings: Any) -> None:
    settings.HOST, settings.PORT = "localhost", 8123
    output = demo()
    assert "http://localhost:8123/admin/" in output
    wscat = "wscat -c ws://localhost:8123/ws/chat -s chat.v1 -s bearer.$(.venv/bin/python manage.py issue_token ana)"
    assert wscat in output.splitlines()


@pytest.mark.parametrize(
    ("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("[::1]", "[::1]")]
)
def test_addresses_are_ones_a_browser_can_open(settings: Any, host: str, shown: str) -> None:
    settings.HOST = host
    assert f"http://{shown}:{settings.PORT}/admin/" in demo()


def test_production_settings_refuse(settings: Any) -> None:
    settings.DEBUG = False
    with pytest.raises(CommandError, match="debug mode"):
        demo()
    assert not get_user_model().objects.exists()
