"""Operating system processes: looking at them, running one for a step, ending them for good."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from devtools.errors import CommandError

PROC = Path("/proc")
MARK = "LEADSEND_RUN"
TAIL_LINES = 30
# Servers that this process started: whoever asks about them later may hold another handle.
_kept: dict[int, subprocess.Popen[bytes]] = {}


def keep(process: subprocess.Popen[bytes]) -> None:
    """Remember a child that outlives the code that started it, so that it is collected."""
    _kept[process.pid] = process


def collect() -> None:
    """Take the exit codes of the kept children that have ended; else they stay as zombies."""
    for pid in [pid for pid, process in _kept.items() if process.poll() is not None]:
        del _kept[pid]


def is_kept(pid: int) -> bool:
    """Tell whether the process is a live child of this one, remembered by `keep`."""
    return pid in _kept


def is_alive(pid: int) -> bool:
    """Tell whether a process runs under this id; one that ended and was not collected does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _stat_fields(pid)[:1] != ["Z"]


def birth(pid: int) -> str:
    """Return what tells a process from a later one with the same id, or "" when it is gone."""
    fields = _stat_fields(pid)
    return fields[19] if len(fields) > 19 else ""


def command_line(pid: int) -> str:
    """Return the process's command as typed, or "" when it cannot be seen."""
    try:
        raw = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ""
    return raw.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")


def all_pids() -> list[int]:
    """Return the ids of all processes; none where there is no /proc."""
    return [int(entry.name) for entry in PROC.glob("[0-9]*")] if PROC.is_dir() else []


def descendants(pid: int) -> list[int]:
    """Return the ids of the children of ``pid``, of their children, and so on."""
    children: dict[int, list[int]] = {}
    for each in all_pids():
        fields = _stat_fields(each)
        if fields:
            children.setdefault(int(fields[1]), []).append(each)
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def marked(token: str) -> list[int]:
    """Return the live processes that carry ``LEADSEND_RUN=token`` in their environment.

    The mark is inherited, so it also finds what has moved to a session of its own.
    """
    needle = f"{MARK}={token}".encode()
    return [pid for pid in all_pids() if pid != os.getpid() and needle in _environment(pid)]


def signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each process that is still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def wait_until(is_true: Callable[[], bool], *, timeout_s: float, every_s: float = 0.02) -> bool:
    """Ask again and again until the answer is yes; return False when the time is over."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_s)
    return True


def end(find: Callable[[], list[int]], *, grace_s: float) -> None:
    """Ask the processes that ``find`` returns to stop; kill those that are left after the grace."""
    signal_all(find(), signal.SIGTERM)
    if not wait_until(lambda: not find(), timeout_s=grace_s, every_s=0.05):
        signal_all(find(), signal.SIGKILL)


def run_step(
    command: Sequence[str | Path],
    *,
    what: str,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a program to its end with its output in ``log``.

    Raises CommandError, with the last lines of the output, when it ends with an error.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
        try:
            code = process.wait()
        except BaseException:
            _end_group(process)
            raise
    if code:
        raise CommandError(f"{what} failed (full output: {log})", output=tail(log))


def tail(log: Path) -> str:
    """Return the last lines of a text file, or "" when there is none."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:])


def _end_group(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _stat_fields(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on: state, parent, group, …"""
    try:
        raw = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return []
    return raw.rpartition(")")[2].split()


def _environment(pid: int) -> bytes:
    try:
        return (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return b""
