"""``./dev trust [NAME] [--full] [--seed N]``: runs one trust run, or all, and keeps the results."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from leadsend.lib import clock
from leadsend.trust import crash, graphs

RUNS: dict[str, Callable[..., dict[str, object]]] = {"crash": crash.run, "graphs": graphs.run}
RESULTS = Path(".leadsend/trust/results.jsonl")


def main(arguments: list[str]) -> int:
    """Run what is asked for; return 1 when a hard gate is missed."""
    parser = argparse.ArgumentParser(prog="./dev trust", description=__doc__)
    parser.add_argument("name", nargs="?", choices=sorted(RUNS))
    parser.add_argument("--full", action="store_true", help="the long form")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--broker", choices=["redis", "postgres"], default="redis")
    asked = parser.parse_args(arguments)
    failed = False
    for name in [asked.name] if asked.name else sorted(RUNS):
        result = RUNS[name](is_full=asked.full, seed=asked.seed, broker=asked.broker)
        line = {"run": name, "at": clock.now().isoformat(), "seed": asked.seed, **result}
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        with RESULTS.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line, indent=2))
        failed = failed or not result["passed"]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
