from __future__ import annotations

import string
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workflows.definition.expressions.check import check_expression, check_value
from workflows.definition.expressions.compile import compile_expression
from workflows.definition.expressions.errors import ExpressionError
from workflows.definition.expressions.functions.table import FUNCTIONS, MACRO_METHODS, METHODS
from workflows.definition.expressions.limits import MAX_BUILT, MAX_STEPS, Budget
from workflows.definition.expressions.paths import references
from workflows.definition.expressions.tests.hostile import BOMBS, ESCAPES, HOSTILE, NESTED_MACROS
from workflows.definition.expressions.tests.hostile import SCOPE as HOSTILE_SCOPE
from workflows.definition.expressions.text import compile_text
from workflows.definition.expressions.types import TypeEnv

SCOPE: dict[str, Any] = {**HOSTILE_SCOPE, "now": datetime(2026, 1, 31, tzinfo=UTC)}
PLAIN = (type(None), bool, int, float, str, list, dict, datetime)


def outcome(source: str, scope: dict[str, Any]) -> Any:
    """Return the value, or the clean error; every other exception fails the test."""
    try:
        return compile_expression(source)(scope)
    except ExpressionError as caught:
        error = caught
    assert error.code in {"expression", "expression_syntax", "expression_limit"}
    assert len(error.message) < 1_000
    return error


def test_there_are_enough_hostile_expressions():
    assert len(HOSTILE) >= 200


@pytest.mark.parametrize("source", ESCAPES)
def test_no_escape_gets_anything_but_data(source):
    assert isinstance(outcome(source, SCOPE), (*PLAIN, ExpressionError))


@pytest.mark.parametrize("source", [*BOMBS, *NESTED_MACROS], ids=lambda source: source[:60])
def test_bombs_end_within_the_budget(source):
    result = outcome(source, SCOPE)

    assert isinstance(result, (*PLAIN, ExpressionError))
    if isinstance(result, str | list):
        assert len(result) <= MAX_BUILT


def test_a_budget_cannot_be_overdrawn():
    budget = Budget()
    budget.spend(MAX_STEPS)
    budget.build(MAX_BUILT)

    with pytest.raises(ExpressionError):
        budget.spend(1)
    with pytest.raises(ExpressionError):
        budget.build(1)


@pytest.mark.parametrize("source", HOSTILE, ids=lambda source: source[:60])
def test_checking_hostile_expressions_gives_problems_and_never_raises(source):
    types = TypeEnv.of(event={"type": "object", "properties": {"a": {"type": "integer"}}})

    assert isinstance(check_expression(source, types=types, path="/x"), list)
    assert isinstance(check_value({"x": "{{ " + source + " }}"}, types=types, path=""), list)


NAMES = st.sampled_from(["event", "L", "a", "x", "y", "now", "event.name", "nope", "big"])
LITERALS = st.sampled_from(
    [
        "1",
        "-1",
        "0",
        "1.5",
        "'a'",
        "''",
        "true",
        "null",
        "[]",
        "{}",
        "9223372036854775807",
        "'1d'",
        "'Europe/Berlin'",
        "'2026-01-31'",
        "'EUR'",
        "'d MMM y'",
        "1e300",
    ]
)
FUNCTION_NAMES = st.sampled_from([*FUNCTIONS, "has", "default", "nope"])
METHOD_NAMES = st.sampled_from([*METHODS, "nope"])
EXPRESSIONS = st.recursive(
    st.one_of(NAMES, LITERALS),
    lambda inner: st.one_of(
        st.tuples(
            inner,
            st.sampled_from(
                ["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in"]
            ),
            inner,
        ).map(lambda parts: f"({' '.join(parts)})"),
        st.tuples(st.sampled_from(["!", "-"]), inner).map("".join),
        st.tuples(inner, inner, inner).map(lambda parts: "({} ? {} : {})".format(*parts)),
        st.tuples(inner, st.sampled_from(["a", "name", "__class__"])).map(".".join),
        st.tuples(inner, inner).map(lambda parts: "{}[{}]".format(*parts)),
        st.tuples(FUNCTION_NAMES, st.lists(inner, max_size=3)).map(
            lambda parts: f"{parts[0]}({', '.join(parts[1])})"
        ),
        st.tuples(inner, METHOD_NAMES, st.lists(inner, max_size=3)).map(
            lambda parts: f"{parts[0]}.{parts[1]}({', '.join(parts[2])})"
        ),
        st.tuples(inner, st.sampled_from(MACRO_METHODS), inner).map(
            lambda parts: "{}.{}(x, {})".format(*parts)
        ),
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.tuples(inner, inner).map(lambda parts: "{{{}: {}}}".format(*parts)),
    ),
    max_leaves=12,
)
FUZZ = settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))


@FUZZ
@given(EXPRESSIONS)
def test_random_expressions_give_a_value_or_a_clean_error(source):
    outcome(source, SCOPE)
    check_expression(source, types=TypeEnv(roots={"event": {"type": "object"}}), path="")


@FUZZ
@given(
    st.one_of(st.text(max_size=80), st.text(alphabet=string.punctuation + "ax1 \n", max_size=80))
)
def test_random_text_gives_a_value_or_a_clean_error(source):
    outcome(source, SCOPE)
    try:
        references(source)
        compile_text(f"{{{{ {source} }}}} {source}")(SCOPE)
    except ExpressionError:
        pass


TOKENS = st.lists(
    st.sampled_from(
        [
            "event",
            ".",
            "[",
            "]",
            "(",
            ")",
            "{",
            "}",
            ",",
            ":",
            "?",
            "!",
            "-",
            "+",
            "*",
            "/",
            "%",
            "&&",
            "||",
            "==",
            "<",
            "in",
            "'a'",
            "1",
            "2.5",
            "x",
            "map",
            "has",
        ]
    )
)


@FUZZ
@given(TOKENS.map(" ".join))
def test_random_tokens_give_a_value_or_a_clean_error(source):
    outcome(source, SCOPE)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@FUZZ
@given(EXPRESSIONS, st.fixed_dictionaries({"event": VALUES, "L": VALUES, "a": VALUES}))
def test_random_data_gives_a_value_or_a_clean_error(source, data):
    outcome(source, {**SCOPE, **data})
