"""Each system check, by the variable that is wrong."""

from __future__ import annotations

import stat

import pytest

from config import checks
from config.secrets import SECRETS, local_secret

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def found(check) -> list[str]:
    return [message.id for message in check()]


def test_nothing_is_wrong_with_all_set(settings):
    settings.SECRET_KEY = settings.JWT_SIGNING_KEY = "x" * 50
    settings.FIELD_ENCRYPTION_KEYS = [KEY]
    assert found(checks.secrets_are_set) == []


@pytest.mark.parametrize(
    ("name", "missing"),
    [("SECRET_KEY", "refused-by-system-check"), ("JWT_SIGNING_KEY", ""), ("FIELD_ENCRYPTION_KEYS", [])],
)
def test_missing_secret_is_named_with_how_to_make_one(settings, name, missing):
    settings.SECRET_KEY = settings.JWT_SIGNING_KEY = "x" * 50
    settings.FIELD_ENCRYPTION_KEYS = [KEY]
    setattr(settings, name, missing)
    (error,) = checks.secrets_are_set()
    assert name in error.msg
    assert SECRETS[name] in error.hint


@pytest.mark.parametrize(
    ("key", "ids"), [("x" * 31, ["config.E002"]), ("x" * 32, []), ("ü" * 16, []), ("", [])]
)
def test_short_signing_key_is_refused(settings, key, ids):
    settings.JWT_SIGNING_KEY = key
    assert found(checks.signing_key_is_long) == ids


@pytest.mark.parametrize(
    ("keys", "ids"),
    [
        ([KEY], []),
        ([KEY, KEY], []),
        ([], []),
        (["short"], ["config.E003"]),
        ([KEY, KEY[:-4]], ["config.E003"]),
        (["not base64 at all, but rather long!!!!!!!!!!"], ["config.E003"]),
        (["é" * 44], ["config.E003"]),
    ],
)
def test_encryption_key_that_is_none_is_refused(settings, keys, ids):
    settings.FIELD_ENCRYPTION_KEYS = keys
    assert found(checks.encryption_keys_are_keys) == ids


@pytest.mark.parametrize(
    ("hosts", "origins", "ids"),
    [
        (["chat.example.org"], ["https://chat.example.org"], []),
        ([], ["https://chat.example.org"], ["config.E004"]),
        (["chat.example.org"], [], ["config.E005"]),
        (["chat.example.org"], ["*"], ["config.E005"]),
        (["chat.example.org"], ["https://chat.example.org", "*"], ["config.E005"]),
    ],
)
def test_hosts_and_origins_must_be_named(settings, hosts, origins, ids):
    settings.ALLOWED_HOSTS, settings.CHAT_ALLOWED_ORIGINS = hosts, origins
    assert found(checks.hosts_and_origins_are_named) == ids


@pytest.mark.parametrize(
    ("limit", "ids"),
    [("10/2second", []), ("1 per minute", []), ("often", ["config.E006"]), ("", ["config.E006"])],
)
def test_rate_limit_must_be_readable(settings, limit, ids):
    settings.CHAT_RATE_LIMIT = limit
    assert found(checks.rate_limit_is_readable) == ids


@pytest.mark.parametrize(
    ("workers", "redis", "ids"), [(1, "", []), (2, "", ["config.E007"]), (2, "redis://localhost", [])]
)
def test_many_workers_need_redis(settings, workers, redis, ids):
    settings.WORKERS, settings.REDIS_URL = workers, redis
    assert found(checks.many_workers_share_a_layer) == ids


def test_every_check_says_what_to_do(settings):
    settings.SECRET_KEY, settings.JWT_SIGNING_KEY, settings.FIELD_ENCRYPTION_KEYS = (
        "refused-by-system-check",
        "x",
        ["x"],
    )
    settings.ALLOWED_HOSTS, settings.CHAT_ALLOWED_ORIGINS, settings.CHAT_RATE_LIMIT = [], [], "often"
    settings.WORKERS, settings.REDIS_URL = 2, ""
    every = [getattr(checks, name) for name in dir(checks) if hasattr(getattr(checks, name), "tags")]
    messages = [message for check in every for message in check()]
    assert len({message.id for message in messages}) == 7
    assert all(message.hint for message in messages)


# --- secrets of debug mode ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", SECRETS)
def test_local_secret_is_made_once(tmp_path, name):
    assert local_secret(tmp_path / "new", name) == local_secret(tmp_path / "new", name) != ""


def test_local_secrets_differ(tmp_path):
    assert len({local_secret(tmp_path / place, "SECRET_KEY") for place in ("one", "other")}) == 2


def test_local_secret_is_read_by_its_owner_only(tmp_path):
    local_secret(tmp_path, "SECRET_KEY")
    assert stat.S_IMODE((tmp_path / "secret_key.txt").stat().st_mode) == 0o600


def test_local_encryption_key_is_a_key(tmp_path, settings):
    settings.FIELD_ENCRYPTION_KEYS = [local_secret(tmp_path, "FIELD_ENCRYPTION_KEYS")]
    assert found(checks.encryption_keys_are_keys) == []


def test_no_draft_of_a_secret_is_left_behind(tmp_path):
    local_secret(tmp_path, "SECRET_KEY")
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key.txt"]
