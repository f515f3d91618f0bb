"""TCP ports on the loopback address: finding a free one, and who holds a busy one."""

from __future__ import annotations

import errno
import secrets
import socket
from pathlib import Path

from devtools.processes import PROC, all_pids, command_line, wait_until

LOOPBACK = "127.0.0.1"
FIRST = 20_000
COUNT = 12_000
# How long the system may need to let go of a port whose holder was killed.
PATIENCE_S = 0.5
_LISTEN = "0A"


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as refusal:
            if refusal.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def find_free() -> int:
    """Return a port that nobody listens on now, below those that outgoing connections take."""
    candidates = (FIRST + secrets.randbelow(COUNT) for _ in range(1_000))
    return next(port for port in candidates if is_free(port))


def remembered(file: Path) -> int:
    """Return the port written in ``file`` if it is still free; else write a free one there."""
    text = file.read_text().strip() if file.exists() else ""
    if text.isdigit() and wait_until(lambda: is_free(int(text)), timeout_s=PATIENCE_S):
        return int(text)
    port = find_free()
    file.write_text(f"{port}\n")
    return port


def holder(port: int) -> int | None:
    """Return the process that listens on ``port``, or None when it cannot be seen."""
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    return next((pid for pid in all_pids() if _sockets(pid) & inodes), None)


def busy_message(port: int) -> str:
    """Say who holds the port, and what to do."""
    pid = holder(port)
    who = "another user's process" if pid is None else f"process {pid} ({command_line(pid)})"
    free = next((p for p in range(port + 1, port + 100) if is_free(p)), find_free())
    return f"Port {port} is taken by {who}.\nStop it, or take another port: ./dev up --port {free}"


def _listening_inodes(port: int) -> set[str]:
    found: set[str] = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found


def _sockets(pid: int) -> set[str]:
    """Return the names of the sockets that a process has open."""
    found: set[str] = set()
    try:
        for link in (PROC / str(pid) / "fd").iterdir():
            found.add(str(link.readlink()))
    except OSError:
        return found
    return found
