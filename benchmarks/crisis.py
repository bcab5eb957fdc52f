"""`python -m benchmarks.crisis`: what an assessment costs, on texts of the corpus and on long ones.

Prints percentiles in microseconds for texts of up to 200 characters, by length, and the growth up to 10,000
characters, with texts made to hold a careless matcher up.
"""

from __future__ import annotations

import gc
import statistics
import time

from therapy.crisis.detector import assess
from therapy.crisis.examples import read_examples

ROUNDS = 5
SLOW_SHAPES = {
    "words": "I went to the shop and it was fine, really. ",
    "one letter": "a",
    "spelled": "k m s u i c i d e ",
    "cues": "i can not die my myself pills bridge he hits me panic not never ",
    "gaps": "i want to want to want to want to ",
    "marks": "!?*'\"",
    "no space": "killmyselfpillsdie",
    "emoji": "😭🔪💊",
}


def fastest(text: str) -> float:
    """Microseconds of processor time, the best of some rounds: the machine's other work is not the detector's."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.thread_time_ns()
        assess(text)
        best = min(best, time.thread_time_ns() - start)
    return best / 1000


def percentiles(label: str, texts: list[str]) -> None:
    costs = sorted(map(fastest, texts))
    median, p99 = statistics.median(costs), costs[int(0.99 * len(costs))]
    print(f"{label:34s} n={len(costs):5d}  median {median:7.1f}  p99 {p99:7.1f}  worst {costs[-1]:7.1f} us")


def growth(label: str, piece: str) -> None:
    costs = [fastest((piece * (size // len(piece) + 1))[:size]) for size in (1_000, 10_000)]
    print(f"{label:34s} 1,000: {costs[0]:8.0f}   10,000: {costs[1]:8.0f} us   x{costs[1] / costs[0]:.1f}")


def main() -> None:
    gc.disable()
    examples = [example for example in read_examples() if example.held_out and len(example.text) <= 200]
    assess("warm up")
    percentiles("calm, up to 200 characters", [e.text for e in examples if not e.is_crisis])
    percentiles("crisis, up to 200 characters", [e.text for e in examples if e.is_crisis])
    percentiles("all, up to 200 characters", [e.text for e in examples])
    for label, piece in SLOW_SHAPES.items():
        growth(label, piece)


if __name__ == "__main__":
    main()
