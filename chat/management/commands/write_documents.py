"""`manage.py write_documents`: the documents of socket and REST paths, as the code has them, into docs/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer

from chat import asyncapi


def asyncapi_text() -> str:
    return json.dumps(asyncapi.document(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def openapi_text() -> str:
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return str(OpenApiYamlRenderer().render(schema, renderer_context={}).decode())  # type: ignore[no-untyped-call]


DOCUMENTS = {"asyncapi.json": asyncapi_text, "openapi.yaml": openapi_text}


class Command(BaseCommand):
    help = "Write docs/asyncapi.json and docs/openapi.yaml."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--into", type=Path, default=settings.BASE_DIR / "docs", help="The folder.")

    def handle(self, *args: Any, into: Path, **options: Any) -> None:
        for name, text in DOCUMENTS.items():
            (into / name).write_text(text())
            self.stdout.write(f"{into / name}")
