from __future__ import annotations

from datetime import timedelta

import pytest

from workflows.definition.durations import expand, span


def test_a_span_has_the_length_it_says():
    assert span({"value": 1.5, "unit": "hours"}) == timedelta(minutes=90)
    assert span(expand("1w")) == timedelta(days=7)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"value": -1, "unit": "days"},
        {"value": "1", "unit": "days"},
        {"value": True, "unit": "days"},
        {"value": 1, "unit": "moons"},
        {"value": 1, "unit": []},
        {"value": 2**53, "unit": "weeks"},
        {"value": float("nan"), "unit": "days"},
    ],
)
def test_a_wrong_span_is_refused(value):
    with pytest.raises(ValueError, match=r"\.$"):
        span(value)


@pytest.mark.parametrize("text", ["", "P", "PT", "1", "d", "1d and more", "\u0661d"])
def test_text_that_is_no_span_stays_as_it_is(text):
    assert expand(text) == text
