"""How much memory processes take: proportional set size, where shared pages count once."""

from __future__ import annotations

from collections.abc import Iterable

from devtools.processes import PROC, command_line, descendants


def pss_kib(pid: int) -> int:
    """Return the proportional set size of one process; 0 when it is gone or cannot be seen."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def tree_pss(pid: int) -> dict[str, int]:
    """Return ``{"PID command": KiB}`` of a process and everything below it, the biggest first.

    For the supervisor of `./dev up` that is the whole stack, PostgreSQL and Redis included.
    """
    sizes = {f"{each} {command_line(each)}": pss_kib(each) for each in [pid, *descendants(pid)]}
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def total_mib(sizes: Iterable[int]) -> float:
    """Return the sum of sizes in KiB as MiB."""
    return sum(sizes) / 1024
