"""(b) and (c): Channels as it comes, echoing, and storing two rows a message the usual way.

A Django of its own in one file, with the product's database settings, so that the database does not decide.
"""

from __future__ import annotations

import os
from typing import Any

import django
import environ
from django.conf import settings

env = environ.Env()
DATABASE: dict[str, Any] = env.db_url("DATABASE_URL", default="sqlite://:memory:")
if DATABASE["ENGINE"].endswith("sqlite3"):
    pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;"
    DATABASE["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "init_command": pragmas, "timeout": 5}
    DATABASE["CONN_MAX_AGE"] = None
else:
    DATABASE["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 10}}

settings.configure(
    SECRET_KEY="measured, not secret",
    DATABASES={"default": DATABASE},
    INSTALLED_APPS=["channels"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
    USE_TZ=True,
)
django.setup()

from channels.generic.websocket import AsyncJsonWebsocketConsumer, AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.urls import path  # noqa: E402


class StockMessage(models.Model):
    author = models.CharField(max_length=64, db_index=True)
    role = models.CharField(max_length=16)
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "benchmarks"

    def __str__(self) -> str:
        return str(self.pk)


class Echo(AsyncWebsocketConsumer):
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(text_data=text_data)


class Usual(AsyncJsonWebsocketConsumer):
    """No token, no crisis check, no encryption: only what every tutorial's chat with a history does."""

    async def receive_json(self, content: dict[str, Any], **_: Any) -> None:
        text = content["content"]["text"]
        answer = f"I hear you. {text}"
        await StockMessage.objects.acreate(author=self.channel_name, role="user", text=text)
        row = await StockMessage.objects.acreate(author=self.channel_name, role="assistant", text=answer)
        await self.send_json({"id": row.pk, "role": "assistant", "content": {"text": answer}})


def make_table() -> None:
    with connection.schema_editor() as editor:
        editor.create_model(StockMessage)


if os.environ.get("STOCK_TABLE"):
    make_table()
    connection.close()

application = ProtocolTypeRouter(
    {"websocket": URLRouter([path("echo", Echo.as_asgi()), path("usual", Usual.as_asgi())])}
)
