"""Services for one command, in a folder of their own, apart from the data of `./dev up`."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from devtools import guardian
from devtools.console import step
from devtools.project import Project
from devtools.services import Services

GRACE_S = 15.0


@contextmanager
def own_services(project: Project, name: str, *, durable: bool) -> Iterator[Services]:
    """Start services under `.leadsend/NAME/`, and stop them at the end."""
    directory = project.state / name
    directory.mkdir(parents=True, exist_ok=True)
    services = Services(directory, environ=os.environ, durable=durable)
    try:
        with step("Starting services of its own"):
            services.start()
        yield services
    finally:
        services.stop()


def environment(services: Services) -> dict[str, str]:
    """Return the whole environment for a program that uses the services."""
    defaults = {"LEADSEND_ENV": "development"}
    return {**defaults, **os.environ, **services.environment}


def run_in_foreground(command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> int:
    """Run a program that talks to the terminal; return its exit code.

    It shares the terminal, so Ctrl+C reaches it by itself; we wait until it is done with it.
    """
    guarded = {**env, **guardian.of_this_process().mark}
    process = subprocess.Popen(list(command), env=guarded, cwd=cwd)
    try:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue
    except BaseException:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
