"""W3 as others would run it: a Celery chain of ten, and ten steps in DBOS, where that is there.

A user's choices, for comparison only. DBOS is none of our dependencies: name the Python of an
environment that has it in ``LEADSEND_BENCH_DBOS`` (``pip install dbos``).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from django.conf import settings

EXECUTIONS: Final = 200
NO_DBOS: Final = (
    "DBOS was not measured: set LEADSEND_BENCH_DBOS to the Python of an environment that has it."
)
_CELERY: Final = """
import sys, time, threading
from celery import Celery, chain
from celery.contrib.testing.worker import start_worker
app = Celery("peer", broker=sys.argv[1], backend=sys.argv[1])
app.conf.task_default_queue = "bench_peer"

@app.task(name="set_fields")
def set_fields(event):
    return {**event, "name": event["name"]}

if __name__ == "__main__":
    count, event = int(sys.argv[2]), {"name": "Ada Byron", "email": "ada@example.org"}
    with start_worker(app, pool="threads", concurrency=8, perform_ping_check=False):
        began = time.monotonic()
        links = [set_fields.s(event), *(set_fields.s() for _ in range(9))]
        found = [chain(*links).apply_async() for _ in range(count)]
        for one in found:
            one.get(timeout=120)
        print(count / (time.monotonic() - began))
"""
_DBOS: Final = """
import sys, time
from dbos import DBOS, DBOSConfig, Queue
DBOS(config={"name": "peer", "system_database_url": sys.argv[1]})
queue = Queue("peer", worker_concurrency=32)

@DBOS.step()
def set_fields(event):
    return {**event, "name": event["name"]}

@DBOS.workflow()
def ten(event):
    for _ in range(10):
        event = set_fields(event)
    return event

DBOS.launch()
count, event = int(sys.argv[2]), {"name": "Ada Byron", "email": "ada@example.org"}
began = time.monotonic()
for handle in [queue.enqueue(ten, event) for _ in range(count)]:
    handle.get_result()
print(count / (time.monotonic() - began))
DBOS.destroy()
"""


def run(*, executions: int = EXECUTIONS) -> dict[str, Any]:
    """Return ten-step executions a second by peer, or why one was not measured."""
    figures: dict[str, Any] = {}
    broker = str(settings.CELERY_BROKER_URL)
    if broker.startswith("redis"):
        figures["celery_chain_per_s"] = _rate(sys.executable, _CELERY, broker, executions)
    else:
        figures["celery_note"] = "The chain needs Redis for its results; this broker is another."
    python = os.environ.get("LEADSEND_BENCH_DBOS")
    if python:
        figures["dbos_per_s"] = _rate(python, _DBOS, str(settings.DATABASE_URL), executions)
    else:
        figures["dbos_note"] = NO_DBOS
    return figures


def _rate(python: str, program: str, address: str, executions: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "peer.py"
        script.write_text(program)
        done = subprocess.run(
            [python, str(script), address, str(executions)],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env={k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"},
            timeout=300,
        )
    if done.returncode:
        raise RuntimeError(f"The peer failed: {done.stderr[-1500:]}")
    return round(float(done.stdout.split()[-1]), 1)
