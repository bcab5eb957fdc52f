"""The ASGI application: HTTP to Django, WebSockets through origin and token to the consumers."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402  (needs Django set up)

from chat.auth import JWTAuthMiddleware, OriginCheck  # noqa: E402
from chat.processing import processor  # noqa: E402
from chat.routing import Admission, websocket_urlpatterns  # noqa: E402
from chat.upkeep import lifespan  # noqa: E402

processor()  # the engine, the detector and the helplines are read now, or the process does not start

application = ProtocolTypeRouter(
    {
        "http": django_application,
        "lifespan": lifespan,
        "websocket": OriginCheck(Admission(JWTAuthMiddleware(URLRouter(websocket_urlpatterns)))),
    }
)
