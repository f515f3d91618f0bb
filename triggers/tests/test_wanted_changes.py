"""Which changes of a table a trigger asks for."""

from __future__ import annotations

import pytest

from triggers import db_changes


@pytest.mark.parametrize(
    ("cfg", "op", "changed", "wanted"),
    [
        ({}, "insert", ["a"], True),
        ({}, "delete", [], False),
        ({"operations": ["delete"]}, "delete", [], True),
        ({"columns": ["a"]}, "update", ["a", "b"], True),
        ({"columns": ["a"]}, "update", ["b"], False),
        ({"columns": ["a"]}, "insert", ["b"], True),
    ],
)
def test_a_trigger_wants_its_operations_and_columns(cfg, op, changed, wanted):
    assert db_changes.is_wanted(cfg, {"op": op, "changed": changed}) is wanted


CHANGED = {"op": "update", "changed": ["status", "n"], "old": {"status": "new", "n": 1, "x": 1}}


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"column": "status"}, True),
        ({"column": "x"}, False),
        ({"column": "status", "from": "new"}, True),
        ({"column": "status", "from": "lost"}, False),
        ({"column": "status", "to": "won"}, True),
        ({"column": "status", "from": "new", "to": "won"}, True),
        ({"column": "status", "from": "new", "to": "lost"}, False),
        ({"column": "n", "from": "1", "to": ""}, True),
    ],
)
def test_a_trigger_may_ask_for_a_change_from_one_value_to_another(change, wanted):
    data = CHANGED | {"new": {"status": "won", "n": None, "x": 1}}

    assert db_changes.is_wanted({"changes": [change]}, data) is wanted
    assert db_changes.is_wanted({"changes": [{"column": "y"}, change]}, data) is wanted


def test_what_is_added_is_told_whatever_changes_are_asked_for():
    data = {"op": "insert", "changed": ["status"], "old": {}, "new": {"status": "new"}}

    assert db_changes.is_wanted({"changes": [{"column": "status", "to": "won"}]}, data)
