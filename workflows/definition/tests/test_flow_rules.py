"""Concurrency, debounce and priority as settings of a document."""

from __future__ import annotations

import pytest

from workflows.definition import canonical
from workflows.definition.shorthand import expand
from workflows.definition.tests.catalog import Catalog
from workflows.definition.tests.test_validation import GOOD
from workflows.definition.validation import validate

MINUTE = {"value": 1, "unit": "minutes"}


def places(**settings):
    problems = validate({**GOOD, "settings": settings}, catalog=Catalog())
    return {problem.path for problem in problems if problem.path.startswith("/settings")}


def test_sound_settings_have_no_problems():
    key = "{{ event.email }}"

    assert not places(
        priority=-10,
        concurrency={"key": key, "limit": 2, "policy": "queue", "strict_order": True},
        debounce={"key": key, "for": MINUTE},
    )
    assert not places(concurrency={"key": "all of them", "policy": "cancel_old"})


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"priority": 11}, "/settings/priority"),
        ({"priority": 1.5}, "/settings/priority"),
        ({"concurrency": {"limit": 2}}, "/settings/concurrency/key"),
        ({"concurrency": {"key": ""}}, "/settings/concurrency/key"),
        ({"concurrency": {"key": "a", "limit": 0}}, "/settings/concurrency/limit"),
        ({"concurrency": {"key": "a", "policy": "hurry"}}, "/settings/concurrency/policy"),
        ({"concurrency": {"key": "a", "often": 1}}, "/settings/concurrency/often"),
        ({"concurrency": {"key": "{{ event.nope }}"}}, "/settings/concurrency/key"),
        ({"concurrency": {"key": "{{ steps.hot.output }}"}}, "/settings/concurrency/key"),
        ({"concurrency": {"key": "{{ vars.hot_score }}"}}, "/settings/concurrency/key"),
        (
            {"concurrency": {"key": "a", "policy": "coalesce", "strict_order": True}},
            "/settings/concurrency/strict_order",
        ),
        ({"debounce": {"key": "a"}}, "/settings/debounce/for"),
        ({"debounce": {"key": "a", "for": "soon"}}, "/settings/debounce/for"),
        ({"debounce": {"key": "a", "for": {**MINUTE, "value": 0}}}, "/settings/debounce/for"),
        ({"debounce": {"key": "a", "for": {**MINUTE, "value": "x"}}}, "/settings/debounce/for"),
        (
            {"debounce": {"key": "a", "for": {"value": 8, "unit": "days"}}},
            "/settings/debounce/for",
        ),
        ({"debounce": {"key": "{{ event.", "for": MINUTE}}, "/settings/debounce/key"),
        (
            {
                "debounce": {"key": "a", "for": MINUTE},
                "concurrency": {"key": "a", "policy": "drop_new"},
            },
            "/settings/concurrency/policy",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(settings, place):
    assert places(**settings) == {place}


def test_defaults_are_left_out_of_the_canonical_form():
    said = {"key": "a", "limit": 1, "policy": "queue", "strict_order": False}
    document = expand({**GOOD, "settings": {"priority": 0, "concurrency": said}})

    assert document["settings"] == {"concurrency": {"key": "a"}}
    assert canonical.dump(document) == canonical.dump(
        expand({**GOOD, "settings": {"concurrency": {"key": "a"}}})
    )


def test_a_span_may_be_written_short():
    document = expand({**GOOD, "settings": {"debounce": {"key": "a", "for": "90s"}}})

    assert document["settings"]["debounce"]["for"] == {"value": 90, "unit": "seconds"}
