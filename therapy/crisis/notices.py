"""Telling the clinic: a signed webhook and e-mail, queued in the event's transaction and retried until they arrive.

Neither holds the player's words or name: what is told is that there is something to look at, how grave, and where.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import datetime, timedelta
from typing import Any
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.urls import reverse

from therapy.messages import utc_now
from therapy.models import CareAssignment, CrisisEvent, CrisisNotice

log = structlog.get_logger()

TIMEOUT_SECONDS = 5
#: After the first attempt; the last is repeated. A notice is given up after a day.
BACKOFF_SECONDS = (5, 15, 60, 300, 900)
GIVEN_UP_AFTER = timedelta(days=1)
_BATCH = 20


class NotSentError(Exception):
    """An attempt failed; the message is a short cause without anybody's words."""


def queue_notices(event: CrisisEvent, at: datetime) -> None:
    """For each channel that the settings name. Call inside the transaction that writes the event."""
    channels = [
        (CrisisNotice.Channel.WEBHOOK, settings.CRISIS_WEBHOOK_URL),
        (CrisisNotice.Channel.EMAIL, settings.CRISIS_EMAIL_FROM),
    ]
    for channel, is_wanted in channels:
        if is_wanted:
            CrisisNotice.objects.create(
                event=event, channel=channel, level=event.level, created_at=at, due_at=at
            )


def replay(event: CrisisEvent) -> None:
    """Tell the clinic of an event once more."""
    queue_notices(event, utc_now())


def send_due_notices() -> int:
    """Try what is due, each in a transaction of its own; returns how many arrived. Safe in many processes at once."""
    due = CrisisNotice.objects.filter(sent_at=None, due_at__lte=utc_now()).order_by("due_at")
    return sum(_try(notice_id) for notice_id in due.values_list("pk", flat=True)[:_BATCH])


def _try(notice_id: Any) -> bool:
    notice = _claim(notice_id)
    if notice is None:
        return False
    try:
        _SENDERS[CrisisNotice.Channel(notice.channel)](notice)
    except (NotSentError, OSError) as error:
        notice.problem = str(error) if isinstance(error, NotSentError) else type(error).__name__
        notice.save(update_fields=["problem"])
        log.warning("notice_not_sent", count=notice.attempts, reason=notice.channel, exc_info=error)
        return False
    notice.sent_at, notice.problem = utc_now(), ""
    notice.save(update_fields=["sent_at", "problem"])
    return True


def _claim(notice_id: Any) -> CrisisNotice | None:
    """Take a notice on by moving its next attempt away, so that no transaction is open while it is sent."""
    with transaction.atomic():
        found = CrisisNotice.objects.select_for_update().filter(pk=notice_id, sent_at=None)
        notice = found.filter(due_at__lte=utc_now()).first()
        if notice is None:
            return None
        wait = BACKOFF_SECONDS[min(notice.attempts, len(BACKOFF_SECONDS) - 1)]
        notice.attempts += 1
        notice.due_at = utc_now() + timedelta(seconds=wait + TIMEOUT_SECONDS)
        if utc_now() - notice.created_at > GIVEN_UP_AFTER:
            notice.due_at = notice.created_at + timedelta(days=36_500)
            log.error("notice_given_up", reason=notice.channel)
        notice.save(update_fields=["attempts", "due_at"])
    return notice


def _admin_url(event: CrisisEvent) -> str:
    return str(settings.PUBLIC_URL) + reverse("admin:therapy_crisisevent_change", args=[event.pk])


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """The address was configured; another one was not."""


_opener = build_opener(_NoRedirects)


def payload(notice: CrisisNotice) -> bytes:
    event = notice.event
    told = {
        "notice_id": str(notice.pk),
        "event_id": str(event.pk),
        "player_id": str(event.player_id),
        "level": notice.level,
        "types": event.types,
        "status": event.status,
        "opened_at": event.opened_at.isoformat(),
        "url": _admin_url(event),
    }
    return json.dumps(told, sort_keys=True).encode()


def signature(body: bytes, timestamp: int, secret: str) -> str:
    """Hex HMAC-SHA256 (RFC 2104) of `<timestamp>.<body>`, so that an old request can't be sent again as a new one."""
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def _post(notice: CrisisNotice) -> None:
    body, timestamp = payload(notice), int(time.time())
    headers = {
        "Content-Type": "application/json",
        "X-Therapeutic-Chat-Timestamp": str(timestamp),
        "X-Therapeutic-Chat-Signature": signature(body, timestamp, settings.CRISIS_WEBHOOK_SECRET),
    }
    request = Request(settings.CRISIS_WEBHOOK_URL, data=body, headers=headers, method="POST")  # noqa: S310
    try:
        with _opener.open(request, timeout=TIMEOUT_SECONDS) as response:
            if not 200 <= response.status < 300:
                raise NotSentError(f"status {response.status}")
    except URLError as error:
        code = getattr(error, "code", None)
        raise NotSentError(f"status {code}" if code else "not reached") from error


def _mail(notice: CrisisNotice) -> None:
    """To the clinicians in charge of the player, and to the clinic's own address if there is one."""
    in_charge = CareAssignment.objects.filter(player_id=notice.event.player_id).select_related("clinician")
    addresses = {getattr(assignment.clinician, "email", "") for assignment in in_charge}
    addresses |= set(settings.CRISIS_EMAIL_TO)
    if not addresses - {""}:
        raise NotSentError("no address")
    send_mail(
        subject=f"Crisis event, level {notice.level}",
        message=f"A crisis event needs a clinician's eyes. Level: {notice.level}.\n\n{_admin_url(notice.event)}\n",
        from_email=settings.CRISIS_EMAIL_FROM,
        recipient_list=sorted(addresses - {""}),
    )


_SENDERS = {CrisisNotice.Channel.WEBHOOK: _post, CrisisNotice.Channel.EMAIL: _mail}
