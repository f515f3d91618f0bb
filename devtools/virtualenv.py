"""The virtual environment: made from the lock, and only when the lock has changed."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from devtools.console import step
from devtools.errors import CommandError, DevError
from devtools.processes import run_step
from devtools.project import Project

NEEDED_BYTES = 2_000_000_000
UV_PIN = Path(__file__).parent / "uv.txt"
NETWORK_SIGNS = (
    "NewConnectionError",
    "Temporary failure in name resolution",
    "Name or service not known",
    "Failed to establish a new connection",
    "No matching distribution found",
    "Network is unreachable",
    "Connection refused",
    "ConnectTimeout",
    "error sending request",
    "dns error",
    "tcp connect error",
    "operation timed out",
)


def ensure_environment(project: Project) -> None:
    """Make `.venv` hold exactly what `requirements.lock` names; quick when it does already.

    Raises DevError with what to do: no venv module, no network, disk full, no permission.
    """
    wanted = _fingerprint(project)
    if _is_current(project, wanted):
        return
    _refuse_hopeless(project)
    project.state.mkdir(exist_ok=True)
    with (project.state / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two commands at once would write into each other's files
        if not _is_current(project, wanted):
            _install(project)
            _stamp(project).write_text(wanted)


def explain(failure: CommandError, *, root: Path) -> DevError:
    """Return what the person can do about an installation that failed."""
    said = failure.output
    if "No space left on device" in said or "os error 28" in said:
        return _disk_full(root)
    if "Permission denied" in said or "os error 13" in said:
        return DevError(f"No permission to write below {root}, or to the package cache:\n{said}")
    if "do not match the hashes" in said.lower() or "hash mismatch" in said.lower():
        return DevError(
            "A package is not the one that requirements.lock names (its hash differs). "
            f"Do not go on; check the package index in use.\n{said}"
        )
    if any(sign.lower() in said.lower() for sign in NETWORK_SIGNS):
        return DevError(
            "The package index cannot be reached. Check the network; behind a proxy set "
            "HTTPS_PROXY; for a mirror of your own set index-url in pip's configuration or "
            f"UV_DEFAULT_INDEX. Then run the command again.\n{said}"
        )
    return failure


def _install(project: Project) -> None:
    with step("Making the virtual environment"):
        _make(project)
    with step("Installing the packages of requirements.lock"):
        _synchronise(project)


def _is_current(project: Project, wanted: str) -> bool:
    stamp = _stamp(project)
    return stamp.exists() and stamp.read_text() == wanted and project.python.exists()


def _stamp(project: Project) -> Path:
    return project.venv / "leadsend-lock"


def _refuse_hopeless(project: Project) -> None:
    if not os.access(project.root, os.W_OK) or (
        project.venv.exists() and not os.access(project.venv, os.W_OK)
    ):
        raise DevError(
            f"{project.root} (or its .venv) cannot be written to. Clone the repository into a "
            "folder of your own, or run this as the user who made it."
        )
    if any(importlib.util.find_spec(name) is None for name in ("venv", "ensurepip")):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise DevError(
            "This Python cannot make virtual environments: a module of its standard library is "
            "packaged apart. On Debian and Ubuntu run, as root:\n"
            f"  apt-get install python3-venv    (or python{version}-venv)"
        )
    if shutil.disk_usage(project.root).free < NEEDED_BYTES:
        raise _disk_full(project.root)


def _disk_full(root: Path) -> DevError:
    free = shutil.disk_usage(root).free / 1e9
    return DevError(
        f"The disk is full: {free:.1f} GB free at {root}, {NEEDED_BYTES / 1e9:.0f} GB needed. "
        "Free some space and run the command again."
    )


def _make(project: Project) -> None:
    if not project.python.exists():
        if project.venv.exists():
            shutil.rmtree(project.venv)
        _run(project, [sys.executable, "-m", "venv", str(project.venv)], "venv")
    arguments = ("--disable-pip-version-check", "install", "--no-input", "--no-deps")
    pinned = ("--require-hashes", "-r", str(UV_PIN))
    _run(project, [str(project.python), "-m", "pip", *arguments, *pinned], "uv")


def _synchronise(project: Project) -> None:
    lock = str(project.root / "requirements.lock")
    sync = (str(project.program("uv")), "pip", "sync", "--require-hashes", lock)
    _run(project, [*sync, "--python", str(project.python)], "packages")


def _run(project: Project, command: list[str], name: str) -> None:
    env = dict(os.environ) | _index_of_pip(project)
    env["VIRTUAL_ENV"] = str(project.venv)
    try:
        run_step(
            command,
            what=f"Installing ({name})",
            log=project.logs / f"setup-{name}.log",
            env=env,
            cwd=project.root,
        )
    except CommandError as failure:
        raise explain(failure, root=project.root) from failure


@functools.cache
def _index_of_pip(project: Project) -> dict[str, str]:
    """Return for uv, which does not read pip's configuration, the index and certificates in it."""
    if not project.python.exists() or os.environ.get("UV_DEFAULT_INDEX"):
        return {}
    listed = subprocess.run(
        [project.python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    known = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}
    found: dict[str, str] = {}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        variable = known.get(name.rpartition(".")[2])
        if variable and not os.environ.get(variable):
            found[variable] = value.strip("'\"")
    return found


def _fingerprint(project: Project) -> str:
    digest = hashlib.sha256()
    for file in (project.root / "requirements.lock", UV_PIN):
        digest.update(file.read_bytes())
    return f"{digest.hexdigest()} {sys.version_info.major}.{sys.version_info.minor}\n"
