"""System checks that refuse a start which could not keep its promises; each says what to do."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from limits import parse

from config.secrets import SECRETS
from privacy.encryption import EncryptionError, Keyring


@register(Tags.security)
def secrets_are_set(**_: Any) -> list[CheckMessage]:
    present = {
        "SECRET_KEY": settings.SECRET_KEY != "refused-by-system-check",
        "JWT_SIGNING_KEY": bool(settings.JWT_SIGNING_KEY),
        "FIELD_ENCRYPTION_KEYS": bool(settings.FIELD_ENCRYPTION_KEYS),
    }
    return [
        Error(
            f"{name} is missing.",
            hint=f"Set {name} in the environment; make one with: {SECRETS[name]}",
            id="config.E001",
        )
        for name, is_set in present.items()
        if not is_set
    ]


@register(Tags.security)
def signing_key_is_long(**_: Any) -> list[CheckMessage]:
    if 0 < len(settings.JWT_SIGNING_KEY.encode()) < 32:
        hint = f"RFC 7518 (3.2) asks for 256 bits; make one with: {SECRETS['JWT_SIGNING_KEY']}"
        return [Error("JWT_SIGNING_KEY is shorter than 32 bytes.", hint=hint, id="config.E002")]
    return []


@register(Tags.security)
def encryption_keys_are_keys(**_: Any) -> list[CheckMessage]:
    if not settings.FIELD_ENCRYPTION_KEYS:  # told by the check above
        return []
    try:
        Keyring(settings.FIELD_ENCRYPTION_KEYS)
    except EncryptionError:
        hint = f"Each is 32 bytes in URL-safe base64, several with commas; make one with: {SECRETS['FIELD_ENCRYPTION_KEYS']}"
        return [Error("FIELD_ENCRYPTION_KEYS holds something that is no key.", hint=hint, id="config.E003")]
    return []


@register(Tags.security)
def hosts_and_origins_are_named(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if not settings.ALLOWED_HOSTS:
        hint = "Set ALLOWED_HOSTS to the names this server answers to, with commas: chat.example.org"
        found.append(Error("ALLOWED_HOSTS is missing.", hint=hint, id="config.E004"))
    if not settings.CHAT_ALLOWED_ORIGINS or "*" in settings.CHAT_ALLOWED_ORIGINS:
        hint = "Set CHAT_ALLOWED_ORIGINS to the pages that may open the socket, with commas: https://chat.example.org"
        found.append(
            Error("CHAT_ALLOWED_ORIGINS is missing or lets every page in.", hint=hint, id="config.E005")
        )
    return found


@register()
def rate_limit_is_readable(**_: Any) -> list[CheckMessage]:
    try:
        parse(settings.CHAT_RATE_LIMIT)
    except ValueError:
        hint = "Use the notation of the limits package, for example 10/2second."
        return [Error("CHAT_RATE_LIMIT can't be read.", hint=hint, id="config.E006")]
    return []


@register()
def many_workers_share_a_layer(**_: Any) -> list[CheckMessage]:
    if settings.WORKERS > 1 and not settings.REDIS_URL:
        hint = "Set REDIS_URL, or WORKERS=1: without it a player's devices on two workers would not see each other."
        return [Error("More than one worker needs Redis.", hint=hint, id="config.E007")]
    return []
