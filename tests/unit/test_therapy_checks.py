"""System checks of the therapy app: helplines that grow old, a webhook nobody could trust."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.checks import Error, Warning, run_checks

from config.checks import encryption_keys_are_keys
from privacy.encryption import EncryptionError, Keyring
from therapy import checks
from therapy.crisis.helplines import FRESH_FOR, HELPLINES

SECRET = "0123456789abcdef0123456789abcdef"
KEY = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="


def aged(by: timedelta):
    """All helplines, the first as if verified so long ago."""
    from therapy.messages import utc_now

    first = HELPLINES[0].model_copy(update={"verified_at": utc_now().date() - by})
    return (first, *(line.model_copy(update={"verified_at": utc_now().date()}) for line in HELPLINES[1:]))


def test_helpline_verified_over_a_year_ago_is_warned_of(monkeypatch):
    monkeypatch.setattr(checks, "HELPLINES", aged(FRESH_FOR + timedelta(days=1)))
    (found,) = checks.helplines_are_fresh()
    assert isinstance(found, Warning)
    assert found.id == "therapy.W001"
    assert found.msg.startswith("1 helplines")
    assert HELPLINES[0].id in found.msg
    assert "CRISIS_HELPLINES_FILE" in str(found.hint)


def test_helplines_verified_within_a_year_are_not(monkeypatch):
    monkeypatch.setattr(checks, "HELPLINES", aged(FRESH_FOR))
    assert checks.helplines_are_fresh() == []


@pytest.mark.parametrize("secret", ["", SECRET[:-1]])
def test_webhook_without_a_long_secret_refuses_the_start(settings, secret):
    settings.CRISIS_WEBHOOK_URL, settings.CRISIS_WEBHOOK_SECRET = "https://clinic.example.org/", secret
    (found,) = checks.webhook_is_signed()
    assert isinstance(found, Error)
    assert found.id == "therapy.E001"
    assert "CRISIS_WEBHOOK_SECRET" in str(found.hint)


@pytest.mark.parametrize(
    ("url", "secret"), [("https://clinic.example.org/", SECRET), ("", ""), ("", "short")]
)
def test_webhook_with_a_secret_or_none_at_all_is_fine(settings, url, secret):
    settings.CRISIS_WEBHOOK_URL, settings.CRISIS_WEBHOOK_SECRET = url, secret
    assert checks.webhook_is_signed() == []


def test_checks_run_with_the_others(settings):
    settings.CRISIS_WEBHOOK_URL, settings.CRISIS_WEBHOOK_SECRET = "https://clinic.example.org/", ""
    assert "therapy.E001" in {found.id for found in run_checks()}


@pytest.mark.parametrize(
    "key", [KEY[:10] + "!" + KEY[10:], KEY[:10] + "\n" + KEY[10:], f"{KEY}=", f"{KEY}AAAA", KEY[:-4]]
)
def test_key_that_the_keyring_refuses_is_refused_at_the_start(settings, key):
    with pytest.raises(EncryptionError):
        Keyring([key])
    settings.FIELD_ENCRYPTION_KEYS = [KEY, key]
    assert [found.id for found in encryption_keys_are_keys()] == ["config.E003"]


def test_key_that_the_keyring_takes_is_taken(settings):
    settings.FIELD_ENCRYPTION_KEYS = [KEY, f" {KEY}"]
    assert encryption_keys_are_keys() == []
