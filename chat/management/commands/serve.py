"""`manage.py serve`: the served process, uvicorn with uvloop, as `make run` and `make serve` start it."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from chat.server import run


class Command(BaseCommand):
    help = "Serve HTTP and WebSockets on HOST:PORT with WORKERS processes."

    def handle(self, *args: Any, **options: Any) -> None:
        self.check(display_num_errors=True)
        sys.exit(run(host=settings.HOST, port=settings.PORT, workers=settings.WORKERS))
