"""States, moments and lengths of time in words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import time_machine
from django.template import engines
from django.utils import timezone

from leadsend.site import words
from runtime.models import ExecutionStatus, StepStatus

NOW = datetime(2027, 3, 10, 22, 30, tzinfo=UTC)


def test_every_state_has_a_word_and_an_icon():
    for name in [*ExecutionStatus.values, *StepStatus.values]:
        assert words.STATES[name].word
        assert words.STATES[name].icon


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2027, 3, 10, 9, 12, tzinfo=UTC), "today 14:42"),
        (datetime(2027, 3, 9, 9, 12, tzinfo=UTC), "yesterday 14:42"),
        (datetime(2027, 3, 10, 18, 31, tzinfo=UTC), "tomorrow 00:01"),
        (datetime(2026, 12, 1, 0, 0, tzinfo=UTC), "1 Dec 2026, 05:30"),
    ],
)
def test_moments_are_told_in_the_current_zone(moment, text):
    with timezone.override("Asia/Kolkata"), time_machine.travel(NOW.replace(hour=12), tick=False):
        assert words.moment(moment) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1240, "1.2 s"),
        (125_000, "2 min 5 s"),
        (3_700_000, "1 h 1 min"),
        (90_000_000, "1 day 1 h"),
    ],
)
def test_lengths_of_time_have_two_units(milliseconds, text):
    assert words.length(milliseconds) == text


def test_the_tag_of_moments_carries_the_exact_one():
    made = engines["django"].from_string("{% when moment %}").render({"moment": NOW})

    assert 'datetime="2027-03-10T22:30:00+00:00"' in made
    assert "10 March 2027, 22:30:00 UTC" in made
