from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadsend.lib.errors import ConfigurationError
from runtime.engine.joins import standing, threshold_of


def _edges(arrived: int, dead: int, incoming: int, join: object = "all") -> str:
    threshold = threshold_of(join, incoming=incoming)
    return standing(arrived, dead, incoming=incoming, threshold=threshold)


def test_a_step_without_edges_in_starts():
    assert _edges(0, 0, 0) == "ready"


def test_all_waits_for_every_edge_and_counts_dead_ones_as_settled():
    assert _edges(1, 0, 2) == "blocked"
    assert _edges(1, 1, 2) == "ready"
    assert _edges(2, 0, 2) == "ready"


def test_any_starts_at_the_first_arrival():
    assert _edges(0, 1, 3, "any") == "blocked"
    assert _edges(1, 0, 3, "any") == "ready"


def test_first_n_starts_at_n_or_with_what_there_is():
    assert _edges(1, 0, 3, {"first": 2}) == "blocked"
    assert _edges(2, 0, 3, {"first": 2}) == "ready"
    assert _edges(1, 2, 3, {"first": 2}) == "ready"
    assert _edges(3, 0, 3, {"first": 9}) == "ready"


@pytest.mark.parametrize("join", ["some", {"first": 0}, {"first": True}, {}, 2, None])
def test_an_unknown_join_is_refused(join: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        threshold_of(join, incoming=2)

    assert caught.value.code == "join_unknown"


joins = st.one_of(
    st.just("all"), st.just("any"), st.builds(lambda n: {"first": n}, st.integers(1, 9))
)


@given(incoming=st.integers(1, 8), data=st.data(), join=joins)
def test_a_step_runs_once_all_is_settled_exactly_when_something_arrived(incoming, data, join):
    arrived = data.draw(st.integers(0, incoming))

    assert _edges(arrived, incoming - arrived, incoming, join) == ("ready" if arrived else "dead")


@given(incoming=st.integers(1, 8), data=st.data(), join=joins)
def test_a_ready_step_stays_ready_whatever_arrives_after_it(incoming, data, join):
    arrived = data.draw(st.integers(0, incoming - 1))
    dead = data.draw(st.integers(0, incoming - 1 - arrived))

    if _edges(arrived, dead, incoming, join) == "ready":
        assert _edges(arrived + 1, dead, incoming, join) == "ready"
        assert _edges(arrived, dead + 1, incoming, join) == "ready"
