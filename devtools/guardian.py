"""A small process that ends what was started when the one who started it is killed.

It holds the reading end of a pipe. When the writer goes away, even by kill -9, the pipe closes, and
the guardian stops every process that it was told of and every one that carries the run's mark.
"""

from __future__ import annotations

import atexit
import functools
import os
import secrets
import signal
import subprocess
import sys

from devtools.processes import MARK, birth, end, is_alive, marked
from devtools.project import THIS

# The worker gives running effects 25 s when it is asked to stop.
GRACE_S = 30.0


class Guardian:
    """The end of the pipe that its owner holds."""

    def __init__(self) -> None:
        self.token = secrets.token_hex(8)
        # Not marked itself, in a session of its own, and light: no site packages.
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-m", "devtools.guardian", self.token],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=THIS.root,
            env={name: value for name, value in os.environ.items() if name != MARK},
            start_new_session=True,
            text=True,
        )

    @property
    def mark(self) -> dict[str, str]:
        """The variable that a guarded process must have in its environment."""
        return {MARK: self.token}

    def watch(self, pid: int) -> None:
        """Guard a process that hides its environment, as PostgreSQL and Redis do."""
        if self._process.stdin is None or self._process.poll() is not None:
            return
        self._process.stdin.write(f"{pid} {birth(pid)}\n")
        self._process.stdin.flush()

    def dismiss(self) -> None:
        """Let the guardian end what is left, and go."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def let_go(self) -> None:
        """Close the pipe without waiting, at the end of the interpreter."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.returncode = self._process.poll() or 0  # no warning that it still runs


@functools.cache
def of_this_process() -> Guardian:
    """Return the one guardian of this process, started when it is first asked for."""
    made = Guardian()
    atexit.register(made.let_go)
    return made


def stand_guard(token: str) -> None:
    """Wait for the pipe to close, then end what is left."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    told = [line.rstrip("\n").partition(" ") for line in sys.stdin]

    def left() -> list[int]:
        pids = [int(pid) for pid, _, born in told if birth(int(pid)) == born]
        return [*filter(is_alive, pids), *marked(token)]

    end(left, grace_s=GRACE_S)


if __name__ == "__main__":
    stand_guard(sys.argv[1])
