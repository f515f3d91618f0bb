"""What the server and the engines used: processor time, memory, and write-ahead log."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from leadsend.lib.postgres import Connection


def database_pid(connection: Connection) -> int | None:
    """Return the process id of the server, or None when it is not on this machine."""
    row = connection.execute("SHOW data_directory").fetchone()
    with suppress(OSError, ValueError, TypeError):
        pid = int((Path(str(row[0])) / "postmaster.pid").read_text().split()[0])  # type: ignore[index]
        return pid if psutil.pid_exists(pid) else None
    return None


def cpu_s(pids: Iterable[int]) -> float:
    """Return the processor seconds of processes and all that they started, the ended ones too."""
    return sum(_family_cpu_s(pid) for pid in pids)


def rss_mib(pid: int) -> float:
    """Return the memory that a process has in use."""
    return float(psutil.Process(pid).memory_info().rss) / 2**20


def wal_bytes(connection: Connection) -> int:
    """Return how much was ever written to the server's log; only differences mean something."""
    row = connection.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchone()
    return int(row[0]) if row else 0


def _family_cpu_s(pid: int) -> float:
    total = 0.0
    with suppress(psutil.NoSuchProcess):
        top = psutil.Process(pid)
        own = top.cpu_times()
        total += own.user + own.system + own.children_user + own.children_system
        for child in top.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                total += times.user + times.system
    return total
