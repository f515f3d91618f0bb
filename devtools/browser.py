"""The browser that browser tests drive: found on PATH, or installed where that is possible."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from devtools.console import step
from devtools.errors import CommandError, DevError
from devtools.processes import run_step

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def ensure_browser(*, logs: Path) -> Path:
    """Return a Chromium's program; as root on Debian install it when there is none.

    Raises DevError that says what to install: browser tests are never left out silently.
    """
    found = find_browser()
    if found is not None:
        return found
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise DevError(
            "The browser tests need Chromium on PATH (as chromium, chromium-browser or "
            "google-chrome). On Debian and Ubuntu run, as root: apt-get install chromium"
        )
    _install(logs)
    found = find_browser()
    if found is None:
        raise DevError("chromium was installed, but is not on PATH.")
    return found


def find_browser() -> Path | None:
    return next((Path(path) for name in NAMES if (path := shutil.which(name))), None)


def _install(logs: Path) -> None:
    env = dict(os.environ) | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]
    try:
        with step("Installing Chromium for the browser tests (apt-get)"):
            run_step(["apt-get", "update"], what="apt-get update", log=logs / "apt.log", env=env)
            run_step(install, what="apt-get install chromium", log=logs / "apt.log", env=env)
    except CommandError as failure:
        raise DevError(
            f"Chromium, which the browser tests need, could not be installed.\n{failure.output}\n"
            "Put chromium on PATH and run the command again."
        ) from failure
