"""Scripted conversations: a player's lines as data, played against the embedded engine."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from therapy.replies.base import Draft, ReplyRequest, Utterance
from therapy.replies.embedded import EmbeddedEngine

CONVERSATIONS = Path(__file__).parent / "conversations"
RECENT_LINES = 24
ENGINE = EmbeddedEngine()


@dataclass(frozen=True)
class Script:
    """`low`: the turns, counted from one, in which the crisis assessment was `check_in`."""

    name: str
    title: str
    player: list[str]
    low: frozenset[int] = frozenset()
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def language(self) -> str:
        return self.settings.get("language", "en")


@dataclass(frozen=True)
class PlayedTurn:
    number: int
    player: str
    draft: Draft


def load_scripts() -> list[Script]:
    scripts = []
    for path in sorted(CONVERSATIONS.glob("*.toml")):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        low, title, player = frozenset(data.pop("low", ())), data.pop("title"), data.pop("player")
        scripts.append(Script(path.stem, title, player, low, data))
    return scripts


def play(script: Script, *, seed: int = 1) -> list[PlayedTurn]:
    recent: list[Utterance] = []
    turns = []
    settings = {
        key: tuple(value) if isinstance(value, list) else value for key, value in script.settings.items()
    }
    for number, text in enumerate(script.player, start=1):
        request = ReplyRequest(
            text, tuple(recent[-RECENT_LINES:]), is_low=number in script.low, seed=seed + number, **settings
        )
        draft = ENGINE.reply(request)
        turns.append(PlayedTurn(number, text, draft))
        recent += [Utterance("player", text), Utterance("companion", draft.text)]
    return turns
