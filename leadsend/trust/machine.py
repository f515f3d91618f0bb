"""T6: the state machine, the simulated hours, raw SQL against the guards, and the fight for a run.

They are tests of the suite; this runs their long forms and counts. Needs the database that
``./dev trust`` starts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as Xml
from pathlib import Path
from typing import Any

from devtools.project import THIS
from leadsend.trust.verdict import Gate, result_of, zero

PARTS = {
    "state machine": "runtime/engine/tests/test_state_machine.py::TestEngineUnderAttack",
    "simulated hours": "runtime/engine/tests/test_state_machine.py"
    "::test_a_simulated_hour_of_faults_loses_and_doubles_nothing",
    "raw SQL": "leadsend/tests/test_database_guards.py",
    "races": "runtime/tests/test_races.py",
}
# What the tests make in their long and in their short form.
FULL = {"steps": 50_000, "hours": 10_000, "rounds": 1000}
SHORT = {"steps": 5000, "hours": 200, "rounds": 50}
# These alone are attempts to leave a final state.
ATTACKS = ("-k", "cannot_leave_a_final_state")
LEAST_ATTACKS = 50
LIMIT_S = 3600


def run(*, is_full: bool, seed: int) -> dict[str, Any]:
    """Run every part to its end; return figures, gates and ``passed``."""
    counts = {
        name: _pytest(where, *(ATTACKS if name == "raw SQL" else ()), is_full=is_full, seed=seed)
        for name, where in PARTS.items()
    }
    figures: dict[str, Any] = {
        **(FULL if is_full else SHORT),
        "tests": {name: passed for name, (passed, _) in counts.items()},
        "failed": {name: failed for name, (_, failed) in counts.items() if failed},
    }
    attacks = counts["raw SQL"][0]
    gates = [zero(f"{name}: failed", failed) for name, (_, failed) in counts.items()]
    gates += [
        zero(f"{name}: not run", int(not passed)) for name, (passed, failed) in counts.items()
    ]
    gates.append(Gate(name="attacks by raw SQL short of 50", value=LEAST_ATTACKS - attacks, most=0))
    return result_of(figures, gates)


def _pytest(where: str, *more: str, is_full: bool, seed: int) -> tuple[int, int]:
    """Return how many tests passed and how many did not."""
    with tempfile.TemporaryDirectory(prefix="leadsend-trust-") as directory:
        report = Path(directory) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", where, *more, f"--junitxml={report}"]
        command.append(f"--hypothesis-seed={seed}")
        env = {
            **os.environ,
            "LEADSEND_TRUST_FULL": "1" if is_full else "0",
            "LEADSEND_TRUST_SEED": str(seed),
        }
        subprocess.run(command, cwd=THIS.root, env=env, timeout=LIMIT_S, check=False)
        if not report.exists():
            return 0, 1
        # Written by the process that ran just now.
        suite = Xml.parse(report).getroot()[0]  # noqa: S314
    total = int(suite.get("tests", 0))
    failed = sum(int(suite.get(name, 0)) for name in ("failures", "errors"))
    return total - failed, failed
