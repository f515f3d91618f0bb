from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given

from leadsend.lib.errors import InvalidInput
from workflows.definition import canonical
from workflows.definition.tests.strategies import documents
from workflows.definition.upgrades import read, upgrade


def _from_0(document):
    """Format 0, made for this test, called steps `nodes` and had no edges."""
    nodes = document.pop("nodes")
    pairs = pairwise(nodes)
    edges = [{"from": first["id"], "to": second["id"]} for first, second in pairs]
    return document | {"steps": nodes, "edges": edges}


def test_an_old_document_is_lifted_step_by_step():
    old = {"format": 0, "name": "Old", "nodes": [{"id": "a"}, {"id": "b"}]}

    new = upgrade(old, chain={0: _from_0}, target=1)

    assert new["format"] == 1
    assert [step["id"] for step in new["steps"]] == ["a", "b"]
    assert new["edges"] == [{"from": "a", "to": "b", "branch_key": "default"}]
    assert "nodes" in old


def test_a_stored_document_is_read_in_full_form():
    assert read('{"format":1,"name":"A"}')["steps"] == []


def test_defaults_of_today_are_not_put_into_an_older_format():
    assert canonical.load('{"format":0,"name":"Old"}') == {"format": 0, "name": "Old"}


def test_several_formats_are_climbed_in_order():
    chain = {
        n: lambda document, n=n: document | {"way": [*document.get("way", []), n]}
        for n in (0, 1, 2)
    }

    assert upgrade({"format": 0}, chain=chain, target=3)["way"] == [0, 1, 2]


@given(documents())
def test_upgrading_twice_changes_nothing(document):
    once = upgrade(document)

    assert upgrade(once) == once


@pytest.mark.parametrize("number", [2, 0, -1, "1", True, None, 1.0])
def test_a_format_that_cannot_be_read_is_refused(number):
    with pytest.raises(InvalidInput) as refusal:
        upgrade({"format": number, "name": "A"})

    assert refusal.value.problems[0].path == "/format"
