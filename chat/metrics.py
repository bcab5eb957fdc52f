"""What is counted. Labels are types and codes of ours, never anything a player typed."""

from __future__ import annotations

from functools import lru_cache

from prometheus_client import Counter, Gauge, Histogram

CONNECTIONS = Counter("chat_connections", "Sockets that were authenticated and accepted.")
CONNECTIONS_OPEN = Gauge("chat_connections_open", "Sockets open now.", multiprocess_mode="livesum")
MESSAGES_IN = Counter("chat_messages_in", "Frames received, by type.", ["type"])
MESSAGES_OUT = Counter("chat_messages_out", "Frames sent, by role.", ["role"])
CRISIS_DETECTED = Counter("chat_crisis_detected", "Messages in which danger was seen, by level.", ["level"])
ENGINE_OUTCOMES = Counter("chat_engine_outcomes", "How reply engines did.", ["engine", "outcome"])
ERRORS = Counter("chat_errors", "Error frames, by code.", ["code"])
REPLY_SECONDS = Histogram(
    "chat_reply_seconds",
    "From a frame's arrival to its last answer sent.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


@lru_cache(maxsize=256)
def labelled(counter: Counter, *values: str) -> Counter:
    """The counter of these label values, kept: to look it up costs more than to count."""
    return counter.labels(*values)
