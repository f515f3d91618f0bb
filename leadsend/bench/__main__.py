"""``./dev bench [NAME] [--json FILE]``: each benchmark, beside its reference in the same run."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import django

# Name → the module whose ``run()`` returns figures; imported only when it is asked for.
BENCHMARKS = ("accepting", "engine", "expressions", "latency", "memory", "stored", "table_changes")


def main(arguments: list[str]) -> int:
    """Run one benchmark or all; print the figures, and write them to a file when asked."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("name", nargs="?", choices=BENCHMARKS)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--executions", type=int, metavar="N", help="how many rows `stored` makes")
    asked = parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "leadsend.settings")
    django.setup()
    figures: dict[str, Any] = {}
    for name in [asked.name] if asked.name else BENCHMARKS:
        sized = {"executions": asked.executions} if name == "stored" and asked.executions else {}
        figures[name] = importlib.import_module(f"leadsend.bench.{name}").run(**sized)
        print(json.dumps({name: figures[name]}, indent=2, default=str), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2, default=str) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
