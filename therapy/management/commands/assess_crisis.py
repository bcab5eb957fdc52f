"""`manage.py assess_crisis < texts.jsonl`: the detector on a clinic's own words, a line in, a line out.

Needs no database and no network, and stores nothing.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from therapy.crisis.assessment import Assessment
from therapy.crisis.detector import assess


class Command(BaseCommand):
    help = 'Reads JSON lines {"text": ...} from standard input and writes one assessment a line.'
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        lines = (line for line in enumerate(sys.stdin, start=1) if line[1].strip())
        bad = 0
        for index, (number, line) in enumerate(lines):
            try:
                self.stdout.write(_serialize(index, assess(_parse(line))))
            except ValueError as error:
                bad += 1
                self.stderr.write(f"line {number}: {error}")
        if bad:
            raise CommandError(f"{bad} line{'s' * (bad > 1)} could not be read; all others were assessed")


def _parse(line: str) -> str:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(data, dict) or not isinstance(data.get("text"), str):
        raise ValueError('expected an object with a string under "text"')
    text: str = data["text"]
    return text


def _serialize(index: int, assessment: Assessment) -> str:
    reasons = [
        {"rule": reason.rule, "start": reason.start, "end": reason.end, "weight": reason.weight}
        for reason in assessment.reasons
    ]
    return json.dumps(
        {
            "i": index,
            "crisis": assessment.is_crisis,
            "level": assessment.level.label,
            "types": assessment.types,
            "reasons": reasons,
        }
    )
