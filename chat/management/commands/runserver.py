"""`manage.py runserver`: Daphne, showing clients the same frames and close codes as the served process."""

from __future__ import annotations

from daphne.management.commands.runserver import Command as DaphneCommand

from chat.daphne_server import ChatServer


class Command(DaphneCommand):
    server_cls = ChatServer
