from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from chat.auth import find_user, read_token

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def debug(settings: Any) -> None:
    settings.DEBUG = True


def issue(*arguments: str) -> list[str]:
    output = StringIO()
    call_command("issue_token", *arguments, stdout=output)
    return output.getvalue().splitlines()


def test_token_stands_for_the_player_named(ana: Any) -> None:
    (token,) = issue("ana")
    assert find_user(read_token(token)) == ana


def test_one_token_a_line_in_the_order_of_the_names(ana: Any, ben: Any) -> None:
    assert [find_user(read_token(token)) for token in issue("ben", "ana", "ben")] == [ben, ana, ben]


def test_unknown_name_becomes_a_player_no_password_opens() -> None:
    (token,) = issue("zoe")
    zoe = get_user_model().objects.get(username="zoe")
    assert find_user(read_token(token)) == zoe
    assert not zoe.has_usable_password()
    assert not zoe.is_staff


def test_known_player_keeps_their_password(ana: Any) -> None:
    issue("ana")
    assert get_user_model().objects.get(username="ana").password == ana.password


def test_seconds_set_how_long_it_is_good(ana: Any) -> None:
    (token,) = issue("ana", "--seconds", "7200")
    left = read_token(token).expires_at - datetime.now(UTC)
    assert timedelta(seconds=7100) < left <= timedelta(seconds=7200)


@pytest.mark.parametrize("seconds", ["0", "-5", "1.5", "soon"])
def test_seconds_that_are_none_are_refused(seconds: str) -> None:
    with pytest.raises(CommandError, match="whole number of seconds"):
        issue("ana", f"--seconds={seconds}")


def test_production_settings_refuse(settings: Any) -> None:
    settings.DEBUG = False
    with pytest.raises(CommandError, match="debug mode"):
        issue("zoe")
    assert not get_user_model().objects.exists()
