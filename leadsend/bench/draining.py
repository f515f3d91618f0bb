"""A full inbox, drained by one engine and by two, beside pgbench leaving the same rows behind.

Each round drains and lets pgbench drain in turn; figures are medians of the rounds. Processor time
is that of the engines and of the whole server; the write-ahead log is what the drain wrote, without
what accepting the events had written before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

from leadsend.bench import machine, pgbench
from leadsend.bench.engines import Engines, running_engines
from leadsend.bench.sink import running_sink
from leadsend.bench.workloads import Flow, clear, fill, flows
from leadsend.lib.postgres import Connection, connect

ROUNDS: Final = 3
SIZES: Final = {"W1": 20_000, "W2": 4_000, "W3": 6_000}
_STEPS: Final = {"W1": 1, "W3": 10}


@dataclass(slots=True)
class Seen:
    """What the rounds of one workload came to."""

    per_s: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    engine_cpu_us: list[float] = field(default_factory=list)
    wal_bytes: list[float] = field(default_factory=list)
    reference: list[float] = field(default_factory=list)

    def figures(self, name: str) -> dict[str, float]:
        """Return the medians by figure."""
        per_s, reference = median(self.per_s), median(self.reference)
        return {
            f"drain_{name}_per_s": round(per_s),
            f"reference_{name}_per_s": round(reference),
            f"drain_{name}_ratio": round(per_s / reference, 3),
            f"cpu_{name}_us": round(median(self.cpu_us), 1),
            f"engine_cpu_{name}_us": round(median(self.engine_cpu_us), 1),
            f"wal_{name}_bytes": round(median(self.wal_bytes)),
        }


def run(
    *, rounds: int = ROUNDS, share: float = 1.0, names: Sequence[str] = tuple(SIZES)
) -> dict[str, Any]:
    """Return the figures by name; ``share`` makes the inboxes smaller, for a quick look."""
    figures: dict[str, Any] = {}
    with (
        running_sink() as sink,
        flows(*names, sink_url=sink) as found,
        connect("bench") as connection,
    ):
        sizes = {name: max(500, int(size * share)) for name, size in SIZES.items()}
        with running_engines(connection, 1, reaching=urlsplit(sink).netloc) as engines:
            for flow in found:
                engines.drain(connection, flow, 500)
                seen = _rounds(connection, engines, flow, sizes[flow.name], rounds)
                figures |= seen.figures(flow.name)
        if "W1" in sizes and found[0].name == "W1":
            figures |= _two_over_one(connection, found[0], sizes["W1"], rounds)
    return figures


def _rounds(connection: Connection, engines: Engines, flow: Flow, size: int, rounds: int) -> Seen:
    seen = Seen()
    server = machine.database_pid(connection)
    for _ in range(rounds):
        engines.hold()
        clear(connection, flow.project_id)
        seen.reference.append(_reference(connection, flow, size))
        clear(connection, flow.project_id)
        meter = _Meter(connection, engines.pids, [server] if server else [])
        drained = engines.drain(connection, flow, size, before=meter.start)
        meter.stop()
        seen.per_s.append(drained.per_s)
        seen.cpu_us.append((meter.engine_s + meter.server_s) / size * 1e6)
        seen.engine_cpu_us.append(meter.engine_s / size * 1e6)
        seen.wal_bytes.append(meter.wal_bytes / size)
    return seen


class _Meter:
    """What was used between start and stop."""

    def __init__(self, connection: Connection, engines: list[int], server: list[int]) -> None:
        self._connection, self._engines, self._server = connection, engines, server
        self.engine_s = self.server_s = 0.0
        self.wal_bytes = 0

    def start(self) -> None:
        """Take the marks."""
        self.engine_s, self.server_s = self._cpu()
        self.wal_bytes = machine.wal_bytes(self._connection)

    def stop(self) -> None:
        """Turn the marks into what was used since."""
        engine_s, server_s = self._cpu()
        self.engine_s, self.server_s = engine_s - self.engine_s, server_s - self.server_s
        self.wal_bytes = machine.wal_bytes(self._connection) - self.wal_bytes

    def _cpu(self) -> tuple[float, float]:
        return machine.cpu_s(self._engines), machine.cpu_s(self._server)


def _reference(connection: Connection, flow: Flow, size: int) -> float:
    """Return the executions a second of one pgbench client on the same inbox."""
    connection.execute("CHECKPOINT")
    fill(connection, flow, size)
    if flow.name == "W2":
        return pgbench.rate("drain_effect", transactions=size // 50) * 50
    steps = {"steps": _STEPS[flow.name]}
    return pgbench.rate("drain_pure", variables=steps, transactions=size // 100) * 100


def _two_over_one(connection: Connection, flow: Flow, size: int, rounds: int) -> dict[str, float]:
    """Return how much more two engines drain than one, both measured now."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for count, found in rates.items():
            clear(connection, flow.project_id)
            with running_engines(connection, count) as engines:
                engines.drain(connection, flow, 500)
                found.append(engines.drain(connection, flow, size).per_s)
    one, two = median(rates[1]), median(rates[2])
    return {"two_engines_per_s": round(two), "two_engines_ratio": round(two / one, 2)}
