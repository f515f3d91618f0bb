"""Web processes for benchmarks: the hook server under ASGI, the plain view under WSGI."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Final

from leadsend.lib import clock

NO_GRANIAN: Final = (
    "granian is not installed, so the view under WSGI was not measured: it is one of the "
    "development dependencies."
)
_START_LIMIT_S: Final = 60.0
# Every thread has a commit of its own under way; so many let PostgreSQL flush them together.
_THREADS: Final = 32


def has_granian() -> bool:
    """Say whether the WSGI server is there."""
    return find_spec("granian") is not None


@contextmanager
def running_web(interface: str = "asgi") -> Iterator[tuple[int, int]]:
    """Start one web process as it runs in production; yield its port and its process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = {"asgi": _asgi, "wsgi": _wsgi}[interface](port)
    with subprocess.Popen([sys.executable, "-m", *command]) as process:
        try:
            _wait_for(port, process)
            yield port, process.pid
        finally:
            process.terminate()


def _asgi(port: int) -> list[str]:
    options = ["--port", str(port), "--log-level", "warning", "--no-access-log"]
    return ["uvicorn", "leadsend.asgi:application", *options]


def _wsgi(port: int) -> list[str]:
    options = ["--port", str(port), "--blocking-threads", str(_THREADS), "--log-level", "warning"]
    return ["granian", "--interface", "wsgi", *options, "leadsend.wsgi:application"]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = clock.monotonic() + _START_LIMIT_S
    while clock.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise RuntimeError("The web process did not start.")
