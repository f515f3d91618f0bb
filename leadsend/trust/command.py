"""The command line of trust runs: one run in this process, or all, one after the other."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from leadsend.lib import clock
from leadsend.trust import (
    boundaries,
    commit_runs,
    crash,
    graphs,
    machine,
    matrix,
    postgres_runs,
    redis_runs,
    schedule_runs,
)
from leadsend.trust.scene import Form
from leadsend.trust.verdict import row_of, table_of

RESULTS = Path(".leadsend/trust/results.jsonl")
FULL_EVENTS, SHORT_EVENTS = 10_000, 350
LANDING_EVENTS = 1000
# The longest run, the soak, takes 35 min; whatever takes twice that hangs.
LIMIT_S = 70 * 60
THREE_SEEDS = frozenset({"T1a", "T1d", "T1e"})
Run = Callable[[argparse.Namespace], dict[str, Any]]


def main(arguments: list[str]) -> int:
    """Run what is asked for; return 1 when a hard gate is missed."""
    asked = _parser().parse_args(arguments)
    if asked.name not in (None, "all"):
        return _run_one(asked.name, asked)
    return _run_all(asked)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev trust", description=__doc__)
    parser.add_argument("name", nargs="?", choices=["all", *RUNS])
    parser.add_argument("--full", action="store_true", help="the long form")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, help="how many events, in place of the form's")
    parser.add_argument("--rate", type=float, help="events a second, in place of the form's")
    parser.add_argument("--lease", type=int, default=30, help="the lease in seconds")
    parser.add_argument("--broker", choices=["redis", "postgres"], default="redis")
    parser.add_argument("--workers", type=int, default=2, help="how many workers")
    parser.add_argument("--pooled", action="store_true", help="behind pgbouncer")
    parser.add_argument("--json", type=Path, help="write the result to this file too")
    return parser


def _run_one(name: str, asked: argparse.Namespace) -> int:
    result = RUNS[name](asked)
    line = {"run": name, "at": clock.now().isoformat(), "seed": asked.seed, "full": asked.full}
    kept = json.dumps({**line, **result})
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(kept + "\n")
    if asked.json:
        asked.json.write_text(kept + "\n")
    print(table_of(f"{name}, seed {asked.seed}", {"seed": asked.seed, **result}))
    print(row_of(name, {"seed": asked.seed, **result}))
    return 0 if result["passed"] else 1


def _run_all(asked: argparse.Namespace) -> int:
    """Run everything in processes of their own; one that fails or hangs does not stop the rest."""
    said = []
    for name in RUNS:
        seeds = (1, 2, 3) if asked.full and name in THREE_SEEDS else (asked.seed,)
        for seed in seeds:
            said.append((name, seed, _run_apart(name, seed, asked)))
            print("\n".join(f"{code:<8} {n}, seed {s}" for n, s, code in said), flush=True)
    return 1 if any(code != "clean" for *_, code in said) else 0


def _run_apart(name: str, seed: int, asked: argparse.Namespace) -> str:
    given = {"--events": asked.events, "--rate": asked.rate}
    options = [f"{key}={value}" for key, value in given.items() if value is not None]
    options += [f"--{name}" for name in ("full", "pooled") if getattr(asked, name)]
    command = [sys.executable, "-m", "leadsend.trust", name, "--seed", str(seed), *options]
    command += ["--lease", str(asked.lease), "--broker", asked.broker]
    command += ["--workers", str(asked.workers)]
    try:
        code = subprocess.run(command, timeout=LIMIT_S, check=False).returncode
    except subprocess.TimeoutExpired:
        return "hung"
    return "clean" if code == 0 else "FAILED"


def _form(asked: argparse.Namespace) -> Form:
    return Form(
        events=asked.events or (FULL_EVENTS if asked.full else SHORT_EVENTS),
        per_second=asked.rate or 50.0,
        seed=asked.seed,
        broker=asked.broker,
        lease_s=asked.lease,
        workers=asked.workers,
        is_pooled=asked.pooled,
    )


def _crash(asked: argparse.Namespace) -> dict[str, Any]:
    return crash.run(is_full=asked.full, seed=asked.seed, broker=asked.broker)


def _mix(letter: str, asked: argparse.Namespace) -> dict[str, Any]:
    form = _form(asked)
    return matrix.run(letter, matrix.soak_form(form) if letter == "g" else form)


def _landing(asked: argparse.Namespace) -> dict[str, Any]:
    return matrix.run_landing(replace(_form(asked), events=asked.events or LANDING_EVENTS))


RUNS: dict[str, Run] = {
    "landing": _landing,
    "crash": _crash,
    "graphs": lambda asked: graphs.run(is_full=asked.full, seed=asked.seed),
    **{f"T1{letter}": partial(_mix, letter) for letter in matrix.MIXES},
    "T2": lambda asked: redis_runs.run(_form(asked)),
    "T3": lambda asked: postgres_runs.run(_form(asked)),
    "T4": lambda asked: schedule_runs.run(is_full=asked.full, seed=asked.seed),
    "T6": lambda asked: machine.run(is_full=asked.full, seed=asked.seed),
    "kills": lambda asked: boundaries.run(rounds=boundaries.FULL_ROUNDS if asked.full else 1),
    "T3commits": lambda asked: commit_runs.run(_form(asked)),
}
