"""Engines are killed at every boundary of the effect protocol, for every delivery class."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leadsend.trust.boundaries import CASES, Case, Killing, killing

pytestmark = pytest.mark.scenario


@pytest.fixture(scope="module")
def stage() -> Iterator[Killing]:
    with killing() as one:
        yield one


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_kill_at_a_boundary_keeps_the_promise_of_the_class(stage: Killing, case: Case) -> None:
    assert stage.play(case) == []
