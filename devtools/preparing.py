"""Bringing a database to the state that this clone's code expects, when it is not there yet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from devtools.console import step
from devtools.processes import run_step
from devtools.project import Project
from devtools.services import Services

STAMP = "prepared"
# What decides the tables and the registry: own migrations, those of the packages, the catalogue.
WATCHED = ("*/migrations/*.py", "leadsend/*/migrations/*.py", "registry/**/*.py")


def prepare(project: Project, services: Services, *, env: Mapping[str, str]) -> None:
    """Run the migrations and seed the registry, unless that was done with the same files before.

    A database that is not ours is asked every time: somebody else may have emptied it.
    """
    stamp = services.stamp_folder / STAMP if services.stamp_folder else None
    wanted = fingerprint(project.root)
    if stamp is not None and stamp.exists() and stamp.read_text() == wanted:
        return
    with step("Preparing the database"):
        run_step(
            [project.python, "-m", "devtools.prepare_database"],
            what="Preparing the database",
            log=project.logs / "prepare.log",
            env=env,
            cwd=project.root,
        )
    if stamp is not None:
        stamp.write_text(wanted)


def fingerprint(root: Path) -> str:
    """Return a digest of every file that the prepared state depends on."""
    digest = hashlib.sha256()
    for file in _watched(root):
        digest.update(str(file.relative_to(root)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _watched(root: Path) -> Iterator[Path]:
    found = {file for pattern in WATCHED for file in root.glob(pattern)}
    yield from sorted(file for file in found if "tests" not in file.parts)
    yield root / "requirements.lock"
