from __future__ import annotations

from hypothesis import given

from workflows.definition import canonical
from workflows.definition.projection import from_rows, to_rows
from workflows.definition.tests.strategies import documents


@given(documents())
def test_projection_and_back_is_the_identity(document):
    base = {key: document[key] for key in document if key not in ("steps", "edges", "variables")}

    restored = from_rows(to_rows(document), base)

    assert restored == document
    assert canonical.dump(restored) == canonical.dump(document)


def test_what_has_no_column_is_kept_aside():
    step = {"id": "a", "kind": "action", "action_key": "x", "cfg": {}, "retry": {"attempts": 2}}

    row = to_rows({"steps": [step], "edges": [], "variables": []}).steps[0]

    assert row.slug == "a"
    assert row.extra == {"retry": {"attempts": 2}}
