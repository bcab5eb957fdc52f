"""The settings as a fresh process reads them from its environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings

VARIABLES = [
    "DEBUG",
    "SECRET_KEY",
    "JWT_SIGNING_KEY",
    "FIELD_ENCRYPTION_KEYS",
    "ALLOWED_HOSTS",
    "CHAT_ALLOWED_ORIGINS",
    "CHAT_RATE_LIMIT",
    "DATABASE_URL",
    "REDIS_URL",
    "WORKERS",
]
PRODUCTION = {
    "SECRET_KEY": "s" * 50,
    "JWT_SIGNING_KEY": "j" * 50,
    "FIELD_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "ALLOWED_HOSTS": "chat.example.org",
    "CHAT_ALLOWED_ORIGINS": "https://chat.example.org",
}


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    bare = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command,
        cwd=settings.BASE_DIR,
        env={**bare, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def values(*names: str, **environment: str) -> dict:
    code = f"import json; from django.conf import settings as s; print(json.dumps({{n: getattr(s, n) for n in {names!r}}}, default=str))"
    done = manage("shell", "--no-imports", "--command", code, **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_production_without_anything_is_refused_and_names_each_variable():
    done = manage("check", DEBUG="0")
    assert done.returncode != 0
    for name in PRODUCTION:
        assert f"{name} is missing" in done.stderr


def test_production_without_secrets_does_not_serve():
    done = manage("serve", DEBUG="0")
    assert done.returncode != 0
    assert "JWT_SIGNING_KEY is missing" in done.stderr


def test_naming_one_secret_makes_it_production():
    done = manage("check", SECRET_KEY="s" * 50)
    assert done.returncode != 0
    assert "JWT_SIGNING_KEY is missing" in done.stderr


def test_production_with_all_is_good():
    done = manage("check", **PRODUCTION)
    assert (done.returncode, done.stderr) == (0, "")


def test_production_is_strict():
    found = values("DEBUG", "ALLOWED_HOSTS", "SESSION_COOKIE_SECURE", "SECURE_HSTS_SECONDS", **PRODUCTION)
    assert found == {
        "DEBUG": False,
        "ALLOWED_HOSTS": ["chat.example.org"],
        "SESSION_COOKIE_SECURE": True,
        "SECURE_HSTS_SECONDS": 31_536_000,
    }


@pytest.fixture(scope="module")
def checkout() -> dict:
    """What a checkout with nothing in its environment gets."""
    return values("DEBUG", "ALLOWED_HOSTS", "CHAT_RATE_LIMIT", "DATABASES", "CHANNEL_LAYERS")


def test_checkout_without_secrets_is_in_debug_mode_on_this_machine_only(checkout):
    assert checkout["DEBUG"] is True
    assert checkout["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]


def test_checkout_lets_10_frames_through_in_2_seconds(checkout):
    assert checkout["CHAT_RATE_LIMIT"] == "10/2second"


def test_checkout_keeps_layers_in_memory(checkout):
    assert "InProcess" in checkout["CHANNEL_LAYERS"]["default"]["BACKEND"]


def test_sqlite_commits_to_the_disk_one_writer_at_a_time(checkout):
    found = checkout["DATABASES"]["default"]["OPTIONS"]
    assert found["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in found["init_command"]
    assert "synchronous=FULL" in found["init_command"]


def test_tokens_are_signed_with_a_key_of_their_own():
    simple_jwt = settings.SIMPLE_JWT
    assert simple_jwt["SIGNING_KEY"] == settings.JWT_SIGNING_KEY != settings.SECRET_KEY
    assert simple_jwt["ISSUER"]
    assert simple_jwt["AUDIENCE"]
    assert simple_jwt["ROTATE_REFRESH_TOKENS"]
    assert simple_jwt["BLACKLIST_AFTER_ROTATION"]


def test_postgresql_is_reached_through_a_pool_and_redis_without_a_socket_timeout():
    found = values(
        "DATABASES", "CHANNEL_LAYERS", DATABASE_URL="postgres://db/chat", REDIS_URL="redis://cache"
    )
    assert "pool" in found["DATABASES"]["default"]["OPTIONS"]
    (host,) = found["CHANNEL_LAYERS"]["default"]["CONFIG"]["hosts"]
    assert (host["address"], host["socket_timeout"]) == ("redis://cache", None)
