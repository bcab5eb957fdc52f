"""System checks of what the therapy app ships or is told."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from therapy.crisis.helplines import HELPLINES, stale


@register()
def helplines_are_fresh(**_: Any) -> list[CheckMessage]:
    old = stale(HELPLINES, date.today())
    if not old:
        return []
    names = ", ".join(line.id for line in old[:5])
    hint = "Call or open each, then set its verified_at in helplines.toml or in your CRISIS_HELPLINES_FILE."
    return [
        Warning(
            f"{len(old)} helplines were last verified over 12 months ago: {names}.",
            hint=hint,
            id="therapy.W001",
        )
    ]


@register()
def webhook_is_signed(**_: Any) -> list[CheckMessage]:
    if settings.CRISIS_WEBHOOK_URL and len(settings.CRISIS_WEBHOOK_SECRET) < 32:
        hint = "Set CRISIS_WEBHOOK_SECRET; make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        return [
            Error(
                "CRISIS_WEBHOOK_URL is set without a secret of 32 characters.", hint=hint, id="therapy.E001"
            )
        ]
    return []
