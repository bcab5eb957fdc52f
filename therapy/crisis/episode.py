"""Where a conversation about danger stands: plain data, kept with the player between turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from therapy.crisis.assessment import CrisisType, Level


@dataclass(frozen=True, slots=True)
class Episode:
    """Where a conversation about danger stands. Kept between turns, also when it is over, so that nothing is said twice.

    `asked` is the open question, `done` those that were asked, `signs` what spoke of safety, `said` the
    paragraphs used (oldest first), `calm` the turns in a row without danger.
    """

    level: int = Level.CHECK_IN
    kind: CrisisType = "general_distress"
    asked: str = ""
    done: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    turns: int = 0
    calm: int = 0
    is_over: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Episode:
        """Unknown names are passed over, so that an episode survives an upgrade."""
        known = {field.name for field in fields(cls)} & set(data)
        kept: dict[str, Any] = {name: data[name] for name in known}
        kept |= {name: tuple(value) for name, value in kept.items() if isinstance(value, list)}
        return cls(**kept)
