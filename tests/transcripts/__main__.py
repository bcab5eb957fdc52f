"""Print the scripted conversations: `python -m tests.transcripts [NAME...]`."""

from __future__ import annotations

import sys

from tests.transcripts.stage import load_scripts, play


def main(names: list[str]) -> None:
    for script in load_scripts():
        if names and script.name not in names:
            continue
        print(f"\n{'=' * 100}\n{script.title}\n")
        for turn in play(script):
            print(f"  player     {turn.player}")
            offered = f"   [{', '.join(turn.draft.offers)}]" if turn.draft.offers else ""
            print(f"  companion  {turn.draft.text}{offered}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
