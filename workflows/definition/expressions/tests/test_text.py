from __future__ import annotations

from typing import Any

import pytest

from workflows.definition.expressions.errors import (
    ExpressionError,
    ExpressionLimitError,
    ExpressionSyntaxError,
)
from workflows.definition.expressions.paths import references, references_in
from workflows.definition.expressions.text import compile_text, compile_value

SCOPE = {
    "event": {
        "name": "Ada",
        "score": 80.0,
        "tags": ["a", 1],
        "none": None,
        "evil": "{{ 7*7 }} {{ event.name }}",
    }
}


def filled(text: str) -> Any:
    return compile_text(text)(SCOPE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no holes", "no holes"),
        ("Dear {{ event.name }}, {{event.score}} points", "Dear Ada, 80 points"),
        ("{{ event.tags }}", ["a", 1]),
        ("{{event.score}}", 80.0),
        (" {{ event.score }}", " 80"),
        ("tags: {{ event.tags }}", 'tags: ["a",1]'),
        ("[{{ event.none }}]", "[]"),
        ("{{ event.score > 50 }}!", "true!"),
        ("{{ timestamp('2026-01-31') }}.", "2026-01-31T00:00:00Z."),
        ('a {{ "{{" }} b', "a {{ b"),
        ("{{ \"}}\" + '}}' }}", "}}}}"),
        ('{{ {"a": {"b": 1}} }}', {"a": {"b": 1}}),
        ('{{{"a": 1}["a"]}}', 1),
        ("{{ event.name // the name }}", "Ada"),
        ("single { and } stay }}", "single { and } stay }}"),
    ],
)
def test_texts_are_filled(text, expected):
    result = filled(text)

    assert result == expected
    assert type(result) is type(expected)


def test_data_is_never_evaluated():
    assert filled("{{ event.evil }}") == "{{ 7*7 }} {{ event.name }}"
    assert filled("x {{ event.evil }}") == "x {{ 7*7 }} {{ event.name }}"
    assert compile_value({"a": ["{{ event.evil }}"]})(SCOPE) == {
        "a": ["{{ 7*7 }} {{ event.name }}"]
    }


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("Dear {{ event.name", 1, 6, "not closed"),
        ("Dear {{ }}", 1, 8, "empty"),
        ("Dear\n{{ event. }}", 2, 10, "too early"),
        ("Dear {{ event.name.uper() }}", 1, 20, "did you mean `upper`"),
    ],
)
def test_errors_in_holes_have_their_place_in_the_text(text, line, column, says):
    with pytest.raises(ExpressionSyntaxError) as caught:
        compile_text(text)

    assert (caught.value.line, caught.value.column) == (line, column)
    assert says in caught.value.message


def test_a_missing_field_in_a_text_is_an_error():
    with pytest.raises(ExpressionError, match="no field `nam`"):
        filled("Dear {{ event.nam }}")


def test_values_keep_their_shape_and_their_keys():
    value = {"{{ key }}": "{{ event.name }}", "list": [1, None, {"x": "{{ event.score }}"}]}

    assert compile_value(value)(SCOPE) == {
        "{{ key }}": "Ada",
        "list": [1, None, {"x": 80.0}],
    }
    assert value["{{ key }}"] == "{{ event.name }}"


def test_texts_and_values_have_limits():
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    with pytest.raises(ExpressionLimitError):
        compile_value(deep)
    with pytest.raises(ExpressionLimitError):
        compile_text("{{ event.name }}" + "x" * 100_000)
    with pytest.raises(ExpressionLimitError, match="200 holes"):
        compile_text("{{ 1 }}" * 201)
    with pytest.raises(ExpressionLimitError):
        compile_text("{{ event.big }}" * 11)({"event": {"big": "x" * 100_000}})


def test_a_number_of_thousands_of_digits_is_a_clean_error():
    with pytest.raises(ExpressionError, match="too large to be written"):
        compile_text("x {{ event.n }}")({"event": {"n": 10**6000}})


def test_references_are_the_paths_named():
    assert references("steps.find.output.items[0].id == vars.x && has(event.a.b)") == {
        ("steps", "find", "output", "items"),
        ("vars", "x"),
        ("event", "a", "b"),
    }
    assert references("event.items.map(x, x.id + vars.y)") == {("event", "items"), ("vars", "y")}
    assert references_in({"a": ["{{ event.a }} {{ now.date() }}", 1], "b": "text"}) == {
        ("event", "a"),
        ("now",),
    }
