"""What a reply of the embedded engine costs: `python -m benchmarks.replies`.

Measured on every turn of the scripted conversations, with up to 24 recent lines each. "warm" is a conversation
that goes on in this process, "cold" one that this process sees for the first time (after a restart or on another
worker), "long" a message of 10,000 characters. The garbage collector is frozen, as the server does after start.
"""

from __future__ import annotations

import gc
import statistics
import time

from tests.transcripts.stage import RECENT_LINES, load_scripts, play
from therapy.replies.base import ReplyRequest, Utterance
from therapy.replies.embedded import EmbeddedEngine

ROUNDS = 30


def requests() -> list[ReplyRequest]:
    made = []
    for script in load_scripts():
        recent: list[Utterance] = []
        settings = {
            key: tuple(value) if isinstance(value, list) else value for key, value in script.settings.items()
        }
        for turn in play(script):
            made.append(
                ReplyRequest(turn.player, tuple(recent[-RECENT_LINES:]), seed=1 + turn.number, **settings)
            )
            recent += [Utterance("player", turn.player), Utterance("companion", turn.draft.text)]
    return made


def microseconds(engine: EmbeddedEngine, request: ReplyRequest) -> float:
    """Time of this thread alone, so that a busy machine shows in caches only and not in waiting."""
    started = time.thread_time_ns()
    engine.reply(request)
    return (time.thread_time_ns() - started) / 1000


def row(name: str, times: list[float]) -> str:
    times = sorted(times)
    p99 = times[int(len(times) * 0.99) - 1]
    return f"{name:<8}{len(times):>8}{statistics.median(times):>12.1f}{p99:>10.1f}{times[-1]:>12.1f}"


def main() -> None:
    asked = requests()
    engine = EmbeddedEngine()
    for request in asked:
        engine.reply(request)
    gc.collect()
    gc.freeze()
    warm = [microseconds(engine, request) for _ in range(ROUNDS) for request in asked]
    cold = []
    for request in asked[10::20]:
        cold.append(microseconds(EmbeddedEngine(), request))
    long_text = "I don't know where to begin. My mother calls every day and I can't sleep. " * 133
    long = [
        microseconds(engine, ReplyRequest(long_text[:10_000], asked[15].recent, seed=i)) for i in range(300)
    ]
    print("microseconds per reply")
    print(f"{'':<8}{'replies':>8}{'median':>12}{'p99':>10}{'most':>12}")
    print("\n".join([row("warm", warm), row("cold", cold), row("long", long)]))
    blocks = [statistics.median(warm[i : i + len(asked)]) for i in range(0, len(warm), len(asked))]
    print(f"median of the quietest of {ROUNDS} rounds: {min(blocks):.1f}")


if __name__ == "__main__":
    main()
