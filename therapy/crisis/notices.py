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
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import structlog
from django.conf import settings
from django.core.mail import get_connection, send_mail
from django.db import transaction
from django.db.models import Q
from django.urls import NoReverseMatch, reverse

from therapy.messages import utc_now
from therapy.models import CareAssignment, CrisisEvent, CrisisNotice

log = structlog.get_logger()

TIMEOUT_SECONDS = 5
#: After the first attempt; the last is repeated. A notice is given up after a day.
BACKOFF_SECONDS = (5, 15, 60, 300, 900)
GIVEN_UP_AFTER = timedelta(days=1)
#: A given-up notice is due when nobody waits for it any more.
_NEVER = timedelta(days=36_500)
#: No attempt begins later than this in one go, so that a process that is asked to end can.
_AT_ONCE_SECONDS = 5.0


class NotSentError(Exception):
    """An attempt failed; the message is a short cause without anybody's words."""


def given_up(now: datetime) -> Q:
    """The condition for notices that did not arrive and are tried no more."""
    return Q(sent_at=None, due_at__gt=now + GIVEN_UP_AFTER)


def _setting(name: str) -> Any:
    """A portal that wants no notices need not name the settings; a crisis must be stored all the same."""
    return getattr(settings, name, "")


def queue_notices(event: CrisisEvent, at: datetime) -> int:
    """One for each channel that the settings name, and how many. Call inside the transaction that writes the event."""
    channels = {
        CrisisNotice.Channel.WEBHOOK: _setting("CRISIS_WEBHOOK_URL"),
        CrisisNotice.Channel.EMAIL: _setting("CRISIS_EMAIL_FROM"),
    }
    wanted = [channel for channel, address in channels.items() if address]
    for channel in wanted:
        CrisisNotice.objects.create(event=event, channel=channel, level=event.level, created_at=at, due_at=at)
    return len(wanted)


def send_due_notices() -> int:
    """Try what is due, new ones before those that failed; returns how many arrived. Safe in many processes at once.

    At least once: a process that dies between sending and noting it sends again, under the same notice id.
    """
    sent, begun = 0, time.monotonic()
    while time.monotonic() - begun < _AT_ONCE_SECONDS and (notice_id := _next_due()) is not None:
        sent += _try(notice_id)
    return sent


def _next_due() -> Any:
    due = CrisisNotice.objects.filter(sent_at=None, due_at__lte=utc_now())
    return due.order_by("attempts", "due_at").values_list("pk", flat=True).first()


def _try(notice_id: Any) -> bool:
    notice = _claim(notice_id)
    if notice is None:
        return False
    try:
        _SENDERS[CrisisNotice.Channel(notice.channel)](notice)
    except Exception as error:  # noqa: BLE001  (whatever it is, the others must not wait for this one)
        _note_failure(notice, error)
        return False
    notice.sent_at, notice.problem = utc_now(), ""
    notice.save(update_fields=["sent_at", "problem"])
    return True


def _claim(notice_id: Any) -> CrisisNotice | None:
    """Take a notice on by moving its next attempt away, so that no transaction is open while it is sent."""
    now = utc_now()
    with transaction.atomic():
        found = CrisisNotice.objects.select_for_update().filter(pk=notice_id, sent_at=None)
        notice = found.filter(due_at__lte=now).first()
        if notice is None:
            return None
        wait = BACKOFF_SECONDS[min(notice.attempts, len(BACKOFF_SECONDS) - 1)]
        notice.attempts += 1
        notice.due_at = now + timedelta(seconds=wait + TIMEOUT_SECONDS)
        notice.save(update_fields=["attempts", "due_at"])
    return notice


def _note_failure(notice: CrisisNotice, error: Exception) -> None:
    notice.problem = str(error) if isinstance(error, NotSentError) else type(error).__name__[:64]
    log.warning("notice_not_sent", count=notice.attempts, reason=notice.channel, exc_info=error)
    if utc_now() - notice.created_at > GIVEN_UP_AFTER:
        notice.due_at = notice.created_at + _NEVER
        log.error("notice_given_up", reason=notice.channel)
    notice.save(update_fields=["problem", "due_at"])


def _admin_url(event: CrisisEvent) -> str:
    """Where a clinician looks at the event; empty where the portal has no admin site."""
    try:
        return str(_setting("PUBLIC_URL")) + reverse("admin:therapy_crisisevent_change", args=[event.pk])
    except NoReverseMatch:
        return ""


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
    address = _setting("CRISIS_WEBHOOK_URL")
    if not address:
        raise NotSentError("no address")
    body, timestamp = payload(notice), int(time.time())
    headers = {
        "Content-Type": "application/json",
        "X-Therapeutic-Chat-Timestamp": str(timestamp),
        "X-Therapeutic-Chat-Signature": signature(body, timestamp, _setting("CRISIS_WEBHOOK_SECRET")),
    }
    request = Request(address, data=body, headers=headers, method="POST")  # noqa: S310
    try:
        _opener.open(request, timeout=TIMEOUT_SECONDS).close()
    except HTTPError as error:
        error.close()
        raise NotSentError(f"status {error.code}") from error
    except (URLError, TimeoutError) as error:
        raise NotSentError("not reached") from error


def _addresses(event: CrisisEvent) -> list[str]:
    """Of the clinicians in charge of the player, and the clinic's own."""
    assignments = CareAssignment.objects.filter(player_id=event.player_id).select_related("clinician")
    clinicians = [assignment.clinician for assignment in assignments if assignment.clinician.is_active]
    own = {getattr(clinician, clinician.get_email_field_name(), "") for clinician in clinicians}
    return sorted(own.union(_setting("CRISIS_EMAIL_TO")) - {"", None})


def _mail(notice: CrisisNotice) -> None:
    addresses = _addresses(notice.event)
    if not addresses:
        raise NotSentError("no address")
    send_mail(
        subject=f"Crisis event, level {notice.level}",
        message=f"A crisis event needs a clinician's eyes. Level: {notice.level}.\n\n{_admin_url(notice.event)}\n",
        from_email=_setting("CRISIS_EMAIL_FROM"),
        recipient_list=addresses,
        connection=get_connection(timeout=TIMEOUT_SECONDS),
    )


_SENDERS = {CrisisNotice.Channel.WEBHOOK: _post, CrisisNotice.Channel.EMAIL: _mail}
