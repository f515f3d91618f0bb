"""The cases that the builder's twin of this package must meet, too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leadsend.lib.errors import InvalidInput
from workflows.definition import canonical
from workflows.definition.operations import apply
from workflows.definition.shorthand import expand

_FOLDER = Path(__file__).parent.parent / "conformance"


def _cases(file):
    return json.loads((_FOLDER / file).read_text())


def _named(cases):
    return [pytest.param(case, id=case["name"]) for case in cases]


OPERATIONS = _cases("operations.json")


@pytest.mark.parametrize("case", _named(_cases("canonical.json")))
def test_values_have_one_text(case):
    assert canonical.dump_json(case["value"]).decode() == case["text"]


@pytest.mark.parametrize("case", _named(_cases("shorthand.json")))
def test_shorthand_has_one_full_form(case):
    assert canonical.dump(expand(case["given"])) == canonical.dump(case["full"])
    assert expand(case["full"]) == case["full"]


@pytest.mark.parametrize("case", _named(OPERATIONS["cases"]))
def test_operations_have_one_result_and_one_inverse(case):
    after, undo = apply(OPERATIONS["document"], case["operations"])

    assert (after, undo) == (case["after"], case["undo"])
    assert apply(after, undo)[0] == OPERATIONS["document"]


@pytest.mark.parametrize("case", _named(OPERATIONS["refused"]))
def test_what_cannot_be_applied_is_refused(case):
    with pytest.raises(InvalidInput):
        apply(OPERATIONS["document"], case["operations"])
