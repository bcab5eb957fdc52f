"""The process's one processor, and the turns that another process left unfinished."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import structlog
from django.conf import settings
from django.utils.module_loading import import_string

from chat import metrics
from chat.connections import connections
from therapy.crisis.assessment import Assessment
from therapy.processor import ChatProcessor
from therapy.replies.relay import Outcome

log = structlog.get_logger()


def _count_outcome(outcome: Outcome) -> None:
    metrics.labelled(metrics.ENGINE_OUTCOMES, outcome.engine, outcome.kind).inc()
    if outcome.kind != "answered":
        log.warning("engine_outcome", engine=outcome.engine, reason=outcome.kind, rule=outcome.detail)


def _count_crisis(assessment: Assessment) -> None:
    metrics.labelled(metrics.CRISIS_DETECTED, assessment.level.label).inc()


@lru_cache(maxsize=1)
def processor() -> ChatProcessor:
    """The process's processor, with the engine that CHAT_REPLY_ENGINE names."""
    engine = import_string(settings.CHAT_REPLY_ENGINE)(**settings.CHAT_REPLY_ENGINE_OPTIONS)
    return ChatProcessor(
        engine=engine,
        deadline_seconds=settings.CHAT_REPLY_DEADLINE_SECONDS,
        on_crisis=_count_crisis,
        on_outcome=_count_outcome,
    )


async def finish_turns(player_id: Any) -> None:
    """Answer what was stored without an answer when a process ended."""
    try:
        last_seq = await processor().finish(player_id)
    except Exception as error:
        log.error("finishing_failed", player_id=str(player_id), exc_info=error)
    else:
        if last_seq:
            connections.broadcast_to_player(player_id, last_seq)
