"""`manage.py resend_notices`: after an outage of the clinic's own servers, or once notices are set up at last."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Exists, OuterRef

from therapy.crisis.events import tell_again
from therapy.crisis.notices import given_up
from therapy.messages import utc_now
from therapy.models import CrisisEvent, CrisisNotice


class Command(BaseCommand):
    help = "Tell the clinic again of every unresolved crisis event that it was not told of. Serving processes send it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--event", type=UUID, help="Only of this one, whether it was told or not.")

    def handle(self, *args: Any, event: UUID | None = None, **options: Any) -> None:
        try:
            counts = [tell_again(event_id, by="system") for event_id in ([event] if event else _untold())]
        except CrisisEvent.DoesNotExist:
            raise CommandError(f"There is no crisis event {event}.") from None
        if counts and not any(counts):
            raise CommandError("Nothing to send with: set CRISIS_WEBHOOK_URL or CRISIS_EMAIL_FROM.")
        self.stdout.write(f"{len(counts)} crisis event(s), {sum(counts)} notice(s) queued.")


def _untold() -> list[UUID]:
    """Unresolved events of which no notice has arrived, nor is being tried."""
    notices = CrisisNotice.objects.filter(event=OuterRef("pk")).exclude(given_up(utc_now()))
    unresolved = CrisisEvent.objects.exclude(status=CrisisEvent.Status.RESOLVED)
    return list(unresolved.exclude(Exists(notices)).order_by("opened_at").values_list("pk", flat=True))
