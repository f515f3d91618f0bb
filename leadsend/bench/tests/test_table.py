from __future__ import annotations

import importlib

import orjson
import pytest

from leadsend.bench import table
from leadsend.bench.__main__ import BENCHMARKS, BY_NAME_ONLY, FIGURES, _chosen
from leadsend.bench.workloads import EVENT, document
from workflows.definition.shorthand import expand


def test_a_row_shows_its_marks_its_reference_and_whether_it_is_met():
    figures = {"draining": {"drain_W1_ratio": 0.31, "reference_W1_per_s": 40_000}}

    (row,) = table.render(figures).splitlines()[2:]

    assert row == (
        "| drain a full inbox, W1, share of pgbench | 0.25 | 0.4 | 0.31  | 40,000/s | met |"
    )


def test_less_or_more_is_better_as_the_row_says():
    ratio, time = table.ROWS[0], next(row for row in table.ROWS if row.key == "W1_p50_ms")

    assert [table.is_met(ratio, 0.2), table.is_met(ratio, 0.25)] == [False, True]
    assert [table.is_met(time, 8.1), table.is_met(time, 8.0)] == [False, True]


def test_every_row_names_a_benchmark_that_is_run():
    assert {row.bench for row in table.ROWS} <= set(BENCHMARKS)


@pytest.mark.parametrize("name", sorted({*BENCHMARKS, *BY_NAME_ONLY}))
def test_every_benchmark_can_be_run(name):
    assert callable(importlib.import_module(f"leadsend.bench.{name}").run)


def test_names_are_run_once_and_all_stands_for_all():
    assert _chosen("all") == list(BENCHMARKS)
    assert _chosen(["figures", "latency", "peers"]) == [*FIGURES, "peers"]


@pytest.mark.parametrize("name", ["W1", "W2", "W3"])
def test_a_workload_is_a_document(name):
    steps = expand(document(name, "http://127.0.0.1:8000/"))["steps"]

    assert len(steps) == {"W1": 1, "W2": 4, "W3": 10}[name]


def test_the_event_has_300_bytes():
    assert abs(len(orjson.dumps(EVENT)) - 300) <= 5
