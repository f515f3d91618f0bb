"""Memory of the whole idle stack: proportional set size, shared pages counted once."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from devtools.memory import pss_kib, total_mib, tree_pss
from leadsend.testing.stack import running_stack

SETTLE_S = 10


def run() -> dict[str, Any]:
    """Return ``{"total_mib", "limit_mib", "processes": {"PID command": MiB}}``.

    The stack is what ``./dev up`` runs: web, worker with one engine process a core, beat,
    PostgreSQL and Redis, ten seconds after the start.
    """
    engines = {"LEADSEND_ENGINES": str(os.cpu_count() or 1)}
    directory = Path(tempfile.mkdtemp(prefix="leadsend-memory-"))
    with running_stack(directory, settings=engines) as stack:
        stack.start()
        stack.wait_for_engine()
        time.sleep(SETTLE_S)
        roots = [member.pid for member in stack.members.values()]
        roots += [service.pid for service in stack.services.embedded if service.pid]
        sizes: dict[str, int] = {}
        for root in roots:
            sizes |= tree_pss(root)
        helper = pss_kib(os.getpid())
    biggest = sorted(sizes.items(), key=lambda item: -item[1])
    return {
        "total_mib": round(total_mib(sizes.values())),
        "limit_mib": 700,
        "measured_beside_mib": round(helper / 1024),
        "processes": {name[:90]: round(size / 1024, 1) for name, size in biggest},
    }
