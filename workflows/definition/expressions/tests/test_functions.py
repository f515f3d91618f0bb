from __future__ import annotations

from typing import Any

import pytest

from workflows.definition.expressions.compile import compile_expression
from workflows.definition.expressions.errors import ExpressionError
from workflows.definition.expressions.functions.table import FUNCTIONS, METHODS, TABLE
from workflows.definition.expressions.limits import Budget
from workflows.definition.expressions.rendering import to_text


def value(source: str) -> Any:
    return compile_expression(source)({})


@pytest.mark.parametrize("function", TABLE, ids=lambda function: function.signature)
def test_each_example_gives_what_the_table_says(function):
    assert to_text(value(function.example), Budget()) == function.gives


def test_every_name_stands_once_in_the_table():
    assert len(FUNCTIONS) + len(METHODS) == len(TABLE)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("'1234.5'.money('EUR', 'de')", "1.234,50\xa0€"),
        ("' 80 '.round()", 80),
        ("1.5.number(1, 'pt-br')", "1,5"),
        ("(-2.5).round()", -3),
        ("1e15.round(2)", 1e15),
        ("(-2.5).floor()", -3),
        ("(-2.5).ceil()", -2),
        ("1234567.number()", "1,234,567"),
        ("int(-1.9)", -1),
        ("int(timestamp('1970-01-01T00:00:01.9Z'))", 1),
        ("double('1e3')", 1000.0),
        ("string(1.5) + string(2.0) + string(true) + string(null)", "1.52true"),
        ("string([1, {'a': null}])", '[1,{"a":null}]'),
        ("string(timestamp('2026-01-31T09:00:00.5+02:00'))", "2026-01-31T07:00:00.5Z"),
        ("string(duration('-1m30.5s'))", "-90.5s"),
        ("duration('2w') == duration('14d')", True),
        ("'2026-01-31'.plus('1d').date()", "2026-02-01"),
        ("'2026-07-01T00:00:00Z'.fmt('short', 'America/New_York', 'de')", "30.06.26, 20:00"),
        ("'Käthe'.matches('^K.the$')", True),
        ("[1, 'a', true].join('-')", "1-a-true"),
        ("[[1], [1.0], [2]].distinct()", [[1], [2]]),
        ("type([]) + type({}) + type(null) + type(duration('1s'))", "listmapnull_typeduration"),
        ("duration('90m').getHours() + duration('90m').getMinutes()", 91),
    ],
)
def test_functions_in_their_finer_points(source, expected):
    result = value(source)

    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    "source",
    [
        "'x'.money('EUR')",
        "''.split('')",
        "'a'.replace('', 'b')",
        "'abc'.substring(2, 1)",
        "[1, 'a'].sort()",
        "[].min()",
        "[].first()",
        "1.round(99)",
        "'a'.truncate(0)",
        "timestamp('2026-02-30')",
        "timestamp('tomorrow')",
        "duration('soon')",
        "duration('')",
        "timestamp(99999999999999)",
        "'2026-01-01'.fmt('" + "y" * 200 + "')",
        "'a'.matches('" + "a" * 2000 + "')",
        "'a'.matches('(a{1000}){1000}')",
        "bool('maybe')",
        "double('nan')",
        "double('inf')",
        "int(1e300)",
    ],
)
def test_functions_refuse_with_a_clean_error(source):
    with pytest.raises(ExpressionError):
        value(source)
