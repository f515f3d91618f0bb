"""The table of figures: what was measured, what it has to be, and what would be splendid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure: which benchmark gives it under which key, and its two marks.

    ``better`` says on which side of a mark it has to be. ``beside`` is the key of its reference.
    """

    what: str
    bench: str
    key: str
    must: float
    stretch: float | None = None
    better: Literal["more", "less"] = "less"
    unit: str = ""
    beside: str = ""


def _drain(name: str, must: float, stretch: float) -> Row:
    return Row(
        what=f"drain a full inbox, {name}, share of pgbench",
        bench="draining",
        key=f"drain_{name}_ratio",
        must=must,
        stretch=stretch,
        better="more",
        beside=f"reference_{name}_per_s",
    )


def _cpu(name: str, must: float, stretch: float) -> Row:
    return Row(
        what=f"processor time, engine + PostgreSQL, {name}",
        bench="draining",
        key=f"cpu_{name}_us",
        must=must,
        stretch=stretch,
        unit="µs",
    )


def _latency(key: str, what: str, must: float, stretch: float) -> Row:
    return Row(
        what=f"50 a second, accept to last commit, {what}",
        bench="latency",
        key=key,
        must=must,
        stretch=stretch,
        unit="ms",
    )


def _stored(key: str, what: str, must: float, stretch: float) -> Row:
    return Row(
        what=f"with many executions stored (`--executions`): {what}",
        bench="stored",
        key=key,
        must=must,
        stretch=stretch,
        unit="ms",
    )


ROWS: Final[tuple[Row, ...]] = (
    _drain("W1", 0.25, 0.40),
    _drain("W3", 0.25, 0.45),
    _drain("W2", 0.15, 0.25),
    Row(
        what="end to end over HTTP, W1, share of pgbench with two commits",
        bench="end_to_end",
        key="end_to_end_ratio",
        must=0.75,
        stretch=1.0,
        better="more",
        beside="reference_two_commits_per_s",
    ),
    Row(
        what="end to end over HTTP, W1, a second",
        bench="end_to_end",
        key="asgi_per_s",
        must=6000,
        better="more",
    ),
    Row(
        what="the same through the view under WSGI, a second",
        bench="end_to_end",
        key="wsgi_per_s",
        must=2000,
        stretch=3000,
        better="more",
    ),
    Row(
        what="accept p99 at full load, 32 connections",
        bench="end_to_end",
        key="asgi_accept_p99_ms",
        must=15,
        stretch=8,
        unit="ms",
    ),
    _latency("W1_p50_ms", "W1 p50", 8, 5),
    _latency("W1_p99_ms", "W1 p99", 30, 15),
    _latency("W2_p50_ms", "W2 p50", 12, 8),
    _latency("W2_p99_ms", "W2 p99", 40, 20),
    _cpu("W1", 90, 50),
    _cpu("W2", 300, 200),
    _cpu("W3", 220, 130),
    Row(
        what="write-ahead log of an execution, W1",
        bench="draining",
        key="wal_W1_bytes",
        must=2200,
        stretch=1700,
        unit="B",
    ),
    Row(
        what="write-ahead log of an execution, W3",
        bench="draining",
        key="wal_W3_bytes",
        must=6800,
        stretch=5000,
        unit="B",
    ),
    Row(
        what="two engines over one, W1",
        bench="draining",
        key="two_engines_ratio",
        must=1.4,
        stretch=1.7,
        better="more",
    ),
    Row(
        what="memory of an engine after 200,000 executions, growth since 20,000",
        bench="worker_memory",
        key="growth",
        must=0.10,
    ),
    _stored("claim_1_ms", "claim", 1, 0.5),
    _stored("list_ms", "list", 5, 1),
    _stored("counts_24h_ms", "counts of the last 24 hours", 20, 5),
)


def render(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the rows of what was measured as a Markdown table."""
    lines = [
        "| figure | must | stretch | measured | beside | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        _line(row, figures[row.bench]) for row in ROWS if row.key in figures.get(row.bench, {})
    ]
    return "\n".join(lines)


def is_met(row: Row, value: float) -> bool:
    """Say whether a figure is on the right side of what it has to be."""
    return value >= row.must if row.better == "more" else value <= row.must


def _line(row: Row, found: Mapping[str, Any]) -> str:
    value = found[row.key]
    stretch = "" if row.stretch is None else f"{row.stretch:,g} {row.unit}".strip()
    beside = f"{found[row.beside]:,}/s" if row.beside else ""
    verdict = "met" if is_met(row, value) else "missed"
    marks = f"{row.must:,g} {row.unit}".strip()
    return f"| {row.what} | {marks} | {stretch} | {value:,} {row.unit} | {beside} | {verdict} |"
