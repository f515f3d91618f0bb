from __future__ import annotations

import pytest

from leadsend.lib.errors import PermanentError
from registry.actions.set_fields import SET_FIELDS
from registry.sdk.faking import FakeContext, run_action


def test_the_output_is_the_object_it_made():
    fields = [
        {"path": "a", "value": 1},
        {"path": "b.c", "value": [2]},
        {"path": "b.d", "value": None},
    ]

    assert run_action(SET_FIELDS, {"fields": fields}) == {"a": 1, "b": {"c": [2], "d": None}}


def test_kept_fields_come_from_the_event_and_are_not_changed_there():
    event = {"x": 1, "b": {"y": 2}}
    fields = [{"path": "b.c", "value": 3}, {"path": "x", "value": 4}]

    made = run_action(SET_FIELDS, {"fields": fields, "keep": "all"}, FakeContext(event=event))

    assert made == {"x": 4, "b": {"y": 2, "c": 3}}
    assert event == {"x": 1, "b": {"y": 2}}


def test_a_value_in_the_way_of_a_group_is_named():
    fields = [{"path": "a", "value": 1}, {"path": "a.b", "value": 2}]

    with pytest.raises(PermanentError, match=r"a\.b"):
        run_action(SET_FIELDS, {"fields": fields})
