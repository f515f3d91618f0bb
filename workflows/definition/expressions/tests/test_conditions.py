from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from workflows.definition.expressions.conditions import Verdict, compile_condition
from workflows.definition.expressions.errors import (
    ExpressionError,
    ExpressionLimitError,
    ExpressionSyntaxError,
)
from workflows.definition.expressions.sentences import WORDS, sentence

SCOPE: dict[str, Any] = {
    "event": {
        "score": 80,
        "text_score": "80",
        "name": "Ada",
        "empty": "",
        "none": None,
        "tags": ["vip", 7],
        "ok": "yes",
        "at": "2026-01-30T12:00:00Z",
        "op": "update",
        "new": {"status": "won", "a": {"b": 2}, "same": 1},
        "old": {"status": "open", "a": {"b": 1}, "same": 1},
        "changed": ["status", "a"],
    },
    "vars": {"hot": 50},
    "now": datetime(2026, 1, 31, 12, tzinfo=UTC),
}


def row(left: Any, op: str, right: Any = None) -> Verdict:
    return compile_condition({"all": [{"left": left, "op": op, "right": right}]})(SCOPE)


@pytest.mark.parametrize(
    ("left", "op", "right", "expected"),
    [
        ("{{ event.score }}", "eq", 80, True),
        ("{{ event.score }}", "eq", "80", True),
        ("{{ event.text_score }}", "eq", 80.0, True),
        ("{{ event.score }}", "ne", 81, True),
        ("{{ event.name }}", "eq", "ada", False),
        ("{{ event.ok }}", "eq", True, True),
        ("{{ event.tags }}", "eq", ["vip", 7], True),
        ("{{ event.text_score }}", "gt", 50, True),
        ("{{ event.text_score }}", "gt", "9", True),
        ("{{ event.score }}", "gt", "{{ vars.hot }}", True),
        ("{{ event.score }}", "ge", 80, True),
        ("{{ event.score }}", "lt", 80, False),
        ("{{ event.score }}", "le", 80, True),
        ("{{ event.name }}", "lt", "Bob", True),
        ("{{ event.name }}", "gt", 5, False),
        ("{{ event.at }}", "gt", "2026-01-30T11:00:00+01:00", True),
        ("{{ event.name }}", "contains", "d", True),
        ("{{ event.tags }}", "contains", "7", True),
        ("{{ event.new }}", "contains", "status", True),
        ("{{ event.name }}", "not_contains", "x", True),
        ("{{ event.name }}", "starts_with", "A", True),
        ("{{ event.name }}", "ends_with", "da", True),
        ("{{ event.name }}", "starts_with", "", False),
        ("{{ event.name }}", "in", ["Bob", "Ada"], True),
        ("{{ event.name }}", "in", "Bob, Ada", True),
        ("{{ event.score }}", "not_in", [1, 2], True),
        ("{{ event.empty }}", "is_empty", None, True),
        ("{{ event.none }}", "is_empty", None, True),
        ("{{ event.tags }}", "is_not_empty", None, True),
        ("{{ event.empty }}", "exists", None, True),
        ("{{ event.none }}", "exists", None, False),
        ("{{ event.ok }}", "is_true", None, True),
        ("{{ event.name }}", "is_false", None, False),
        ("{{ event.name }}", "matches", "^A.a$", True),
        ("{{ event.at }}", "within_last", "2d", True),
        ("{{ event.at }}", "within_last", {"value": 2, "unit": "hours"}, False),
        ("{{ event.at }}", "before", "{{ now }}", True),
        ("{{ event.at }}", "after", "2026-01-31", False),
        ("{{ event.name }}", "before", "2026-01-31", False),
        ("{{ event.new.status }}", "changed", None, True),
        ("{{ event.new.same }}", "changed", None, False),
        ("{{ event.new.a.b }}", "changed", None, True),
        ("{{ event.new.status }}", "changed_from_to", {"from": "open", "to": "won"}, True),
        ("{{ event.new.status }}", "changed_from_to", {"to": "won"}, True),
        ("{{ event.new.status }}", "changed_from_to", {"from": "lost"}, False),
    ],
)
def test_operators_compare_as_a_person_would(left, op, right, expected):
    assert row(left, op, right).value is expected


NEGATIVE = {"ne", "not_contains", "not_in", "is_empty"}


@pytest.mark.parametrize("op", sorted(set(WORDS) - {"changed", "changed_from_to", "within_last"}))
def test_a_missing_value_counts_as_empty_and_the_verdict_says_so(op):
    verdict = row("{{ event.nothing.here }}", op, "x")

    assert verdict.value is (op in NEGATIVE)
    assert verdict.notes == ("event.nothing.here is missing and was counted as empty",)


@pytest.mark.parametrize("data", ["{{ oops", "{{ 7*7 }}", "}}", "{{ 1 + }}"])
def test_data_that_looks_like_a_hole_is_only_data(data):
    judge = compile_condition(
        {"all": [{"left": "{{ event.a }}", "op": "eq", "right": "{{ event.b }}"}]}
    )

    verdict = judge({"event": {"a": data, "b": data}})
    assert verdict == Verdict(True, f"event.a ({data}) is event.b ({data})")


def test_an_insert_is_no_change():
    judge = compile_condition({"all": [{"left": "{{ event.new.status }}", "op": "changed"}]})

    assert judge({"event": {"op": "insert", "new": {"status": "a"}, "changed": []}}).value is False


def test_the_reason_is_the_comparison_that_decided():
    group = {
        "all": [
            {"left": "{{ event.score }}", "op": "gt", "right": "{{ vars.hot }}"},
            {"any": [{"left": "{{ event.name }}", "op": "eq", "right": "Bob"}, {"cel": "1 > 2"}]},
        ]
    }

    verdict = compile_condition(group)(SCOPE)
    assert verdict == Verdict(False, "event.name (Ada) is not Bob and 1 > 2 is false")
    first = compile_condition({"all": group["all"][:1]})(SCOPE)
    assert first.reason == "event.score (80) is greater than vars.hot (50)"
    assert row("{{ event.new.status }}", "changed").reason == (
        "event.new.status (open → won) changed"
    )


def test_conditions_are_said_in_words():
    group = {
        "any": [
            {"all": [{"left": "{{ event.score }}", "op": "ge", "right": 50}, {"cel": "a"}]},
            {"left": "{{ event.email }}", "op": "is_not_empty"},
            {"left": "{{ event.new.s }}", "op": "changed_from_to", "right": {"to": "won"}},
        ]
    }

    assert sentence(group) == (
        "(event.score is at least 50 and a) or event.email is not empty"
        " or event.new.s changed to won"
    )
    assert sentence({}) == "always"


@pytest.mark.parametrize(
    "group",
    [
        {"all": 1},
        {"all": [1, {"op": ["x"]}]},
        {"any": [{"left": "{{ x", "op": "like", "right": {"unit": "days"}}]},
        {"nope": 1},
    ],
)
def test_drafts_that_are_not_sound_are_said_too(group):
    assert isinstance(sentence(group), str)


def test_no_condition_always_holds():
    assert compile_condition({})(SCOPE).value is True
    assert compile_condition({"all": []})(SCOPE).value is True
    assert compile_condition({"any": []})(SCOPE).value is False


def test_cel_has_to_give_true_or_false():
    assert compile_condition({"cel": "event.score > 1"})(SCOPE).value is True
    with pytest.raises(ExpressionError, match="true or false"):
        compile_condition({"cel": "event.score"})(SCOPE)
    with pytest.raises(ExpressionError, match="no field"):
        compile_condition({"cel": "event.nope > 1"})(SCOPE)


@pytest.mark.parametrize(
    "group",
    [
        [],
        {"all": 1},
        {"all": [1]},
        {"none": []},
        {"all": [], "any": []},
        {"cel": 1},
        {"cel": "1 +"},
        {"all": [{"left": 1, "op": "like", "right": 1}]},
        {"all": [{"op": "eq", "right": 1}]},
        {"all": [{"left": 1, "op": "eq"}]},
        {"all": [{"left": "{{ event.x", "op": "exists"}]},
        {"all": [{"left": "{{ event.x }}", "op": "changed"}]},
        {"all": [{"left": ["x"], "op": "changed"}]},
        {"all": [{"left": 1, "op": ["eq"], "right": 1}]},
    ],
)
def test_what_is_no_condition_is_refused(group):
    with pytest.raises(ExpressionSyntaxError):
        compile_condition(group)


def test_conditions_have_limits():
    deep: dict[str, Any] = {}
    for _ in range(60):
        deep = {"all": [deep]}
    with pytest.raises(ExpressionLimitError):
        compile_condition(deep)
    with pytest.raises(ExpressionLimitError):
        compile_condition({"all": [{"left": 1, "op": "exists"}] * 201})
