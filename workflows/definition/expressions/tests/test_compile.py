from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from workflows.definition.expressions.compile import compile_expression
from workflows.definition.expressions.errors import (
    ExpressionError,
    ExpressionLimitError,
    ExpressionSyntaxError,
    MissingValueError,
)

SCOPE = {
    "event": {
        "email": "ada@example.org",
        "score": 80,
        "name": None,
        "items": [{"price": 1.5, "id": "a"}, {"price": 2, "id": "b"}],
        "at": "2026-01-31T09:00:00Z",
    },
    "steps": {"find": {"output": {"id": 7}}},
    "vars": {"hot": 50},
    "now": datetime(2026, 2, 1, tzinfo=UTC),
}


def value(source: str, scope: Mapping[str, Any] = SCOPE) -> Any:
    return compile_expression(source)(scope)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("event.email", "ada@example.org"),
        ("steps.find.output.id", 7),
        ("event.items[1].id", "b"),
        ('event["email"].size()', 15),
        ("event.score > vars.hot ? 'hot' : 'cold'", "hot"),
        ("event.score + 1.5", 81.5),
        ("5 / 2", 2.5),
        ("4 / 2", 2),
        ("-7 % 3", -1),
        ("1 == 1.0", True),
        ("true == 1", False),
        ("[1, true] == [1.0, true]", True),
        ('{"a": [1]} == {"a": [1.0]}', True),
        ("'a' in ['a', 'b'] && 'email' in event", True),
        ("event.items.map(x, x.price * 2)", [3.0, 4]),
        ("event.items.map(x, x.price > 1.6, x.id)", ["b"]),
        ("event.items.filter(x, x.price < 2).size()", 1),
        ("event.items.all(x, x.price > 1) && event.items.exists_one(x, x.id == 'a')", True),
        ("event.items.map(x, event.items.map(y, x.price * y.price))", [[2.25, 3.0], [3.0, 4]]),
        ("event.map(key, key).sort().first()", "at"),
        ("event.at < now && now - timestamp(event.at) < duration('1d')", True),
        ("event.at == timestamp('2026-01-31T10:00:00+01:00')", True),
        ("has(event.email) && !has(event.phone) && !has(steps.other.output.x)", True),
        ('default(event.phone, "none") + default(event.name, "?")', "none?"),
        ('default(steps.other.output.id, "")', ""),
    ],
)
def test_expressions_give_their_values(source, expected):
    result = value(source)

    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("event.nothing == 1 || true", True),
        ("true || event.nothing == 1", True),
        ("event.nothing == 1 && false", False),
        ("1 / 0 > 1 && false", False),
        ("event.items.exists(x, x.nothing == 1 || x.id == 'b')", True),
        ("event.items.all(x, x.price > 1.6 && x.nothing)", False),
    ],
)
def test_a_side_that_decides_absorbs_the_error_of_the_other(source, expected):
    assert value(source) is expected


@pytest.mark.parametrize(
    ("source", "says", "column"),
    [
        ("event.emial", "`event` has no field `emial`; did you mean `email`?", 7),
        ("evnt.email", "There is no `evnt` here; did you mean `event`?", 1),
        ("steps.other.output.id", "The step `other` has no output", 7),
        ("1 + event.name.first", "`event.name` is null, so it has no field `first`", 16),
        ("event.items[2]", "The list has 2 items; there is none at 2", 12),
        ("event.items[0 - 1]", "there is none at -1", 12),
    ],
)
def test_what_is_missing_is_named_with_its_place(source, says, column):
    with pytest.raises(MissingValueError) as caught:
        value(source)

    assert says in caught.value.message
    assert caught.value.source == source
    assert caught.value.column == column
    assert caught.value.code == "expression"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("event.email + 1", "text and a number cannot be added; use string"),
        ("1 / 0", "Division by zero"),
        ("5.5 % 2", "whole numbers"),
        ("9223372036854775807 + 1", "too large"),
        ("1e308 * 10.0", "too large"),
        ("1 < 'a'", "have no order"),
        ("[1] < [2]", "has no order"),
        ("!event.score", "`!` needs true or false, not a number"),
        ("event.score && true", "`&&` needs true or false"),
        ("event.score ? 1 : 2", "`?` needs true or false"),
        ("event.name.upper()", "`upper` needs text, not null; guard it"),
        ("'a' in 'abc'", '.contains("…")'),
        ("'abc'[0]", "has no elements"),
        ("{1: 2}", "keys of an object are text"),
        ("{'a': 1, 'a': 2}", "stands twice"),
        ("1.map(x, x)", "`map` needs a list"),
        ("'a'.matches('(')", "The pattern is not understood"),
        ("now.fmt('d', 'Mars/Base')", "There is no time zone"),
        ("1.money('euro')", "three capitals"),
        ("1.money('EUR', '../etc')", "There is no language"),
        ("now + duration('99999999d')", "years"),
        ("int('1x')", "no whole number"),
    ],
)
def test_what_cannot_be_done_is_said(source, says):
    with pytest.raises(ExpressionError) as caught:
        value(source)

    assert says in caught.value.message
    assert not isinstance(caught.value, MissingValueError)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("event.email.uper()", "There is no method `uper`; did you mean `upper`?"),
        ("siz(event.items)", "There is no function `siz`; did you mean `size`?"),
        ("upper(event.email)", "is written as `value.upper()`"),
        ("event.email.replace('a')", "`replace` takes 2 arguments, not 1"),
        ("default(event.email)", "`default` takes two values"),
        ("event.items.map(x)", "`map` is written with a name first"),
    ],
)
def test_unknown_functions_are_refused_before_running(source, says):
    with pytest.raises(ExpressionSyntaxError) as caught:
        compile_expression(source)

    assert says in caught.value.message


@pytest.mark.parametrize(
    "source",
    [
        "L.map(x, L.map(y, L.map(z, x + y + z)))",
        "L.all(x, L.all(y, L.all(z, true)))",
        "L.map(x, L).map(x, x.map(y, L)).size()",
        "L.exists(x, L.exists(y, x + y < 0))",
        "big.replace('a', big)",
        "[big, big, big, big, big, big, big, big, big, big, big]",
        "L.map(x, big)",
        "L.map(x, big).join()",
        "string(L.map(x, big))",
        "[1].map(a, [L, L, L])" + ".map(a, [a, a, a, a])" * 8,
    ],
)
def test_bombs_end_at_a_limit(source):
    with pytest.raises(ExpressionLimitError) as caught:
        value(source, {"L": list(range(100)), "big": "a" * 100_000})

    assert caught.value.code == "expression_limit"


def test_a_limit_is_not_absorbed():
    with pytest.raises(ExpressionLimitError):
        value("L.all(x, L.all(y, L.all(z, true))) || true", {"L": list(range(100))})


def test_long_names_in_data_do_not_make_long_messages():
    with pytest.raises(MissingValueError) as caught:
        value("event.a", {"event": {"b" * 100_000: 1}})

    assert len(caught.value.message) < 100


def test_names_of_python_are_only_names_of_fields():
    with pytest.raises(MissingValueError):
        value("event.__class__")
    with pytest.raises(MissingValueError):
        value("event.email.__class__.__mro__")
