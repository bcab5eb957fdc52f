"""Tokens as they are read, before anybody looks the user up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from chat.auth import Identity, NotAuthenticatedError, offered_token, read_token


def claims(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    given = {
        "token_type": "access",
        "exp": now + timedelta(minutes=10),
        "iat": now,
        "jti": "0f",
        "user_id": "7",
        "ver": 0,
        "pwd": "digest",
        "iss": settings.SIMPLE_JWT["ISSUER"],
        "aud": settings.SIMPLE_JWT["AUDIENCE"],
    }
    return {key: value for key, value in {**given, **changes}.items() if value is not None}


def signed(key: str | None = None, algorithm: str = "HS256", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key or settings.SIMPLE_JWT["SIGNING_KEY"], algorithm)


def problem_of(token: str) -> str:
    with pytest.raises(NotAuthenticatedError) as caught:
        read_token(token)
    return caught.value.code


def test_good_token_names_player_version_and_end():
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=3)
    assert read_token(signed(exp=end, ver=2)) == Identity(7, 2, "digest", end)


def test_identity_is_expired_from_its_end_on():
    end = datetime(2026, 11, 22, tzinfo=UTC)
    identity = Identity(7, 0, "", end)
    assert [identity.is_expired(end - timedelta(seconds=1)), identity.is_expired(end)] == [False, True]


FORGED = {
    "garbage": lambda: "not.a.token",
    "one word": lambda: "token",
    "not ASCII": lambda: "tökén.ä.ß",
    "NUL": lambda: "a\0.b.c",
    "other key": lambda: signed(key="another key that is long enough to sign with"),
    "alg none": lambda: jwt.encode(claims(), None, "none"),
    "other algorithm": lambda: signed(key="x" * 64, algorithm="HS512"),
    "other issuer": lambda: signed(iss="another-portal"),
    "no issuer": lambda: signed(iss=None),
    "other audience": lambda: signed(aud="another-app"),
    "no audience": lambda: signed(aud=None),
    "no type": lambda: signed(token_type=None),
    "no end": lambda: signed(exp=None),
    "no user": lambda: signed(user_id=None),
    "user is no number": lambda: signed(user_id="ana"),
    "no version": lambda: signed(ver=None),
    "version is a list": lambda: signed(ver=[]),
    "no password digest": lambda: signed(pwd=None),
    "refresh token": lambda: str(RefreshToken()),
    "refresh token of a player": lambda: signed(token_type="refresh"),
    "plain access token of the library": lambda: str(AccessToken()),
    "payload changed": lambda: signed().replace(".", ".e", 1),
    "signature cut off": lambda: signed().rsplit(".", 1)[0] + ".",
}


@pytest.mark.parametrize("make", FORGED.values(), ids=FORGED.keys())
def test_forged_token_is_invalid(make):
    assert problem_of(make()) == "token_invalid"


def test_expired_token_says_so():
    assert problem_of(signed(exp=datetime.now(UTC) - timedelta(seconds=1))) == "token_expired"


def test_expired_forged_token_is_only_invalid():
    past = datetime.now(UTC) - timedelta(hours=1)
    assert problem_of(signed(key="another key that is long enough to sign with", exp=past)) == "token_invalid"


def test_problem_never_quotes_the_token():
    with pytest.raises(NotAuthenticatedError) as caught:
        read_token("zanzibar.zanzibar.zanzibar")
    assert "zanzibar" not in caught.value.text + str(caught.value)


# --- where it is looked for --------------------------------------------------------------------------


def scope(*, protocols: tuple[str, ...] = (), header: bytes = b"", query: bytes = b"") -> dict[str, Any]:
    headers = [(b"authorization", header)] if header else []
    return {"subprotocols": list(protocols), "headers": headers, "query_string": query}


def test_subprotocol_is_looked_at_first():
    found = offered_token(scope(protocols=("chat.v1", "bearer.a"), header=b"Bearer b", query=b"token=c"))
    assert found == "a"


def test_header_is_looked_at_before_the_query():
    assert offered_token(scope(protocols=("chat.v1",), header=b"Bearer b", query=b"token=c")) == "b"


def test_query_is_looked_at_last():
    assert offered_token(scope(query=b"typing=1&token=c")) == "c"


def test_no_token_is_none():
    assert offered_token(scope()) is None
    assert offered_token({}) is None


@pytest.mark.parametrize("header", [b"bearer b", b"BEARER b", b"Bearer  b "])
def test_header_scheme_is_read_as_rfc_9110_says(header):
    assert offered_token(scope(header=header)) == "b"


def test_other_schemes_are_no_token():
    assert offered_token(scope(header=b"Basic YTpi")) is None


@pytest.mark.parametrize("query", [b"token=%ff%fe", b"token=\xff", b"token", b"&&=;%zz"])
def test_strange_queries_do_no_harm(query):
    assert "." not in (offered_token(scope(query=query)) or "")
