"""A full inbox drained by four engines behind pgbouncer, beside one engine without it."""

from __future__ import annotations

from statistics import median
from typing import Any, Final

from django.conf import settings

from leadsend.bench.engines import running_engines
from leadsend.bench.workloads import clear, flows
from leadsend.lib.postgres import connect
from leadsend.testing.pooler import Pooler

ROUNDS: Final = 3
EVENTS: Final = 20_000
ENGINES: Final = 4


def run(*, rounds: int = ROUNDS, events: int = EVENTS) -> dict[str, Any]:
    """Return executions a second of both, medians. Raises RuntimeError without pgbouncer."""
    pooler = Pooler(settings.DATABASE_URL)
    pooler.start()
    behind = {"DATABASE_URL": pooler.url, "POSTGRES_DIRECT_URL": settings.DATABASE_URL}
    forms: dict[str, tuple[int, dict[str, str]]] = {
        "one_direct_per_s": (1, {}),
        "four_pooled_per_s": (ENGINES, behind),
    }
    rates: dict[str, list[float]] = {name: [] for name in forms}
    try:
        with flows("W1") as (flow,), connect("bench") as connection:
            for _ in range(rounds):
                for name, (count, given) in forms.items():
                    clear(connection, flow.project_id)
                    with running_engines(connection, count, settings=given) as engines:
                        engines.drain(connection, flow, 500)
                        rates[name].append(engines.drain(connection, flow, events).per_s)
    finally:
        pooler.stop()
    figures = {name: round(median(found)) for name, found in rates.items()}
    ratio = figures["four_pooled_per_s"] / figures["one_direct_per_s"]
    return {**figures, "pooled_ratio": round(ratio, 2)}
