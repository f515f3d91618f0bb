"""``./dev bench [all | NAME…] [--json FILE]``: each benchmark, beside its reference in the same run.

Prints the figures of each and, at the end, one table of those that have marks to reach.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import django

from leadsend.bench import table

# Modules whose ``run()`` returns figures; imported only when they are asked for.
FIGURES = ("draining", "end_to_end", "latency", "worker_memory", "stored")
BENCHMARKS = (
    *FIGURES,
    "accepting",
    "engine",
    "expressions",
    "fairness",
    "large_bodies",
    "memory",
    "table_changes",
    "waiting",
)
# Only by name, for what they need is not among our dependencies.
BY_NAME_ONLY = ("peers", "pooled")


def main(arguments: list[str]) -> int:
    """Run the benchmarks asked for; print their figures, and write them to a file when asked."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    choices = ("all", "figures", *BENCHMARKS, *BY_NAME_ONLY)
    parser.add_argument("names", nargs="*", choices=choices, default="all", metavar="NAME")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--executions", type=int, metavar="N", help="how many rows `stored` makes")
    asked = parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "leadsend.settings")
    django.setup()
    figures: dict[str, Any] = {}
    failed = False
    for name in _chosen(asked.names):
        sized = {"executions": asked.executions} if name == "stored" and asked.executions else {}
        try:
            figures[name] = importlib.import_module(f"leadsend.bench.{name}").run(**sized)
        except RuntimeError as error:
            figures[name], failed = {"failed": str(error)}, True
        print(json.dumps({name: figures[name]}, indent=2, default=str), flush=True)
        if asked.json:
            asked.json.write_text(json.dumps(figures, indent=2, default=str) + "\n")
    print(table.render(figures))
    return int(failed)


def _chosen(names: str | list[str]) -> list[str]:
    wanted = [names] if isinstance(names, str) else names
    found: list[str] = []
    for name in wanted:
        found += {"all": BENCHMARKS, "figures": FIGURES}.get(name, (name,))
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
