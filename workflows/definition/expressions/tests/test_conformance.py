from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from workflows.definition.expressions.compile import compile_expression
from workflows.definition.expressions.errors import ExpressionError

CASES = Path(__file__).parent.parent / "conformance"


def cases(name: str) -> list[Any]:
    loaded = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))["cases"]
    return [pytest.param(case, id=case["name"]) for case in loaded]


def alike(value: Any, expected: Any) -> bool:
    if isinstance(value, bool) or isinstance(expected, bool):
        return value is expected
    if isinstance(value, list) and isinstance(expected, list):
        return len(value) == len(expected) and all(map(alike, value, expected))
    if isinstance(value, dict) and isinstance(expected, dict):
        return value.keys() == expected.keys() and all(alike(value[k], expected[k]) for k in value)
    return bool(value == expected)


@pytest.mark.parametrize("case", [*cases("cel_spec"), *cases("own")])
def test_cases_give_what_the_specification_says(case):
    if "error" in case:
        with pytest.raises(ExpressionError):
            compile_expression(case["expr"])(case.get("scope", {}))
    else:
        assert alike(compile_expression(case["expr"])(case.get("scope", {})), case["value"])


@pytest.mark.parametrize("case", cases("differences"))
def test_where_we_differ_from_cel_we_do_so_as_documented(case):
    if "error" in case:
        with pytest.raises(ExpressionError):
            compile_expression(case["expr"])(case.get("scope", {}))
    else:
        assert compile_expression(f"string({case['expr']})")(case.get("scope", {})) == case["gives"]
