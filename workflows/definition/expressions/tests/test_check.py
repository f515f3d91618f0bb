from __future__ import annotations

from typing import Any

import pytest

from leadsend.lib.errors import Severity
from workflows.definition.expressions.check import check_condition, check_expression, check_value
from workflows.definition.expressions.types import TypeEnv

EVENT = {
    "type": "object",
    "required": ["email", "score", "items", "status", "free"],
    "properties": {
        "email": {"type": "string"},
        "score": {"type": "integer"},
        "phone": {"type": ["string", "null"]},
        "status": {"enum": ["open", "won", "lost"]},
        "at": {"type": "string", "format": "date-time"},
        "free": {},
        "owner": {
            "anyOf": [
                {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}},
                },
                {"type": "null"},
            ]
        },
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["price"],
                "properties": {"price": {"type": "number"}, "id": {"type": "string"}},
            },
        },
        "extra": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
OUTPUT = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
TYPES = TypeEnv.of(
    event=EVENT,
    steps={"find": OUTPUT, "welcome": OUTPUT, "call": True, "after": {}},
    variables={"hot": {"type": "number"}},
    maybe_absent={"welcome"},
    later={"after"},
)


def problems(source: str) -> list[tuple[str, Severity]]:
    found = check_expression(source, types=TYPES, path="/x", step_id="s")
    return [(problem.code, problem.severity) for problem in found]


@pytest.mark.parametrize(
    "source",
    [
        "event.email + string(event.score)",
        "event.score + 1.5 > vars.hot",
        "steps.find.output.id == 'x'",
        "steps.call.output.anything[0].goes + 1",
        "event.free.a.b",
        "default(event.phone, '').upper()",
        "has(event.phone) && event.phone == 'x'",
        "event.phone == 'x' && has(event.phone)",
        "!has(event.phone) || event.phone == 'x'",
        "has(event.owner.name) ? event.owner.name : ''",
        "default(steps.welcome.output.id, '')",
        "has(steps.welcome.output) && steps.welcome.output.id == 'x'",
        "event.items.map(x, x.price * 2).sum()",
        "event.items.filter(x, x.price > 1).first().price + 1",
        "event.items[0].price",
        "event.status == 'won'",
        "event.email == null",
        "now - duration('1d') < default(event.at, now)",
        "default(event.extra.anything, '').trim()",
        "run.id + workflow.name",
        "request.headers.host",
    ],
)
def test_what_fits_the_schemas_has_no_problem(source):
    assert problems(source) == []


@pytest.mark.parametrize(
    ("source", "code", "says"),
    [
        ("event.emial", "unknown_field", "did you mean `email`? (column 7)"),
        ("evnt.email", "unknown_root", "did you mean `event`? (column 1)"),
        ("item.id", "unknown_root", "only inside a loop"),
        ("steps.fnd.output.id", "unknown_step", "did you mean `find`?"),
        ("steps.find.outptu.id", "unknown_field", "did you mean `output`?"),
        ("steps.find.output.di", "unknown_field", "there are id"),
        ("steps.welcome.output.id", "step_may_not_run", "may not have run on this path"),
        ("steps.after.output.id", "step_runs_later", "runs later"),
        ("vars.cold", "unknown_field", "there are hot"),
        ("event.email.name", "wrong_type", "`event.email` is text, so it has no field"),
        ("event.email + 1", "wrong_type", "`+` does not work between text and number"),
        ("event.score > 'a'", "wrong_type", "`>` does not work between number and text"),
        ("event.score == 'won'", "incomparable", "number and text can never be equal"),
        ("event.items == 1", "incomparable", "can never be equal"),
        ("event.score && true", "wrong_type", "does not work between"),
        ("!event.score", "wrong_type", "bool is needed"),
        ("event.score ? 1 : 2", "wrong_type", "bool is needed"),
        ("event.score.upper()", "wrong_type", "text is needed"),
        ("event.email.uper()", "unknown_function", "did you mean `upper`?"),
        ("upper(event.email)", "wrong_arguments", "is written as"),
        ("event.email.replace('a')", "wrong_arguments", "takes 2 arguments"),
        ("event.items.map(x, x.prize)", "unknown_field", "did you mean `price`?"),
        ("event.items.filter(x, x.price)", "wrong_type", "bool is needed"),
        ("event.email.map(x, x)", "wrong_type", "goes over a list"),
        ("event.items['a'].price", "wrong_type", "so it has no field `a`"),
        ("event.items[true]", "wrong_type", "The place in a list"),
        ("{1: 2}", "wrong_type", "text is needed"),
        ("1 +", "expression_syntax", "too early (column 4)"),
        ("(" * 40 + ")" * 40, "expression_limit", "nested deeper"),
        ("default(event.nope, 1)", "unknown_field", "has no field `nope`"),
        ("has(event.emial)", "unknown_field", "did you mean"),
    ],
)
def test_what_cannot_work_is_found_with_a_suggestion(source, code, says):
    found = check_expression(source, types=TYPES, path="/steps/0/cfg/to", step_id="s")

    assert [problem.code for problem in found] == [code]
    assert says in found[0].message
    assert found[0].path == "/steps/0/cfg/to"
    assert found[0].step_id == "s"
    assert found[0].severity is Severity.ERROR


@pytest.mark.parametrize(
    "source", ["event.phone", "event.owner.name", "event.phone == 'x' || has(event.phone)"]
)
def test_an_optional_field_without_a_guard_is_a_warning(source):
    found = problems(source)

    assert found
    assert set(found) == {("may_be_missing", Severity.WARNING)}


def test_a_value_that_an_enum_does_not_have_is_a_warning():
    assert problems("event.status == 'wonn'") == [("unknown_choice", Severity.WARNING)]
    assert problems("'won' != event.status") == []


def test_nothing_known_means_no_problem():
    types = TypeEnv(roots={})

    assert check_expression("event.a[0].b + steps.x.output", types=types, path="") == []


def test_values_are_checked_where_their_holes_stand():
    value = {"to": "Dear\n  {{ event.emial }}", "list": ["{{ 1 }}", {"a/b": "{{ x }}"}]}
    found = check_value(value, types=TYPES, path="/cfg", step_id="s")

    assert [(problem.code, problem.path) for problem in found] == [
        ("unknown_field", "/cfg/to"),
        ("unknown_root", "/cfg/list/1/a~1b"),
    ]
    assert "(line 2, column 12)" in found[0].message


def test_an_unclosed_hole_is_a_problem():
    assert check_value("a {{ b", types=TYPES, path="/x")[0].code == "expression_syntax"


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("{{ event.items }}", False),
        ("{{ event.score }}", True),
        ("{{ event.email }}", True),
        ("{{ event.free }}", True),
        ("{{ event.items }} in words", True),
    ],
)
def test_a_lone_hole_must_fit_what_is_expected(text, fits):
    schema = {"type": "object", "properties": {"to": {"type": "string"}}}
    found = check_value({"to": text}, types=TYPES, path="", schema=schema)

    assert (found == []) is fits


def check_row(left: Any, op: str, right: Any = None) -> list[tuple[str, str]]:
    group = {"all": [{"any": [{"left": left, "op": op, "right": right}]}]}
    return [(p.code, p.path) for p in check_condition(group, types=TYPES, path="/c")]


def test_rows_tolerate_what_may_be_missing_but_not_what_cannot_be():
    assert check_row("{{ event.phone }}", "is_empty") == []
    assert check_row("{{ steps.welcome.output.id }}", "exists") == []
    assert check_row("{{ event.fone }}", "eq", 1) == [("unknown_field", "/c/all/0/any/0/left")]
    assert check_row("{{ event.items }}", "gt", 1) == [("wrong_type", "/c/all/0/any/0/left")]
    assert check_row("{{ event.status }}", "eq", "won") == []
    assert check_row("{{ event.status }}", "eq", "one") == [
        ("unknown_choice", "/c/all/0/any/0/right")
    ]
    assert check_row("{{ event.status }}", "changed") == [("wrong_type", "/c/all/0/any/0/left")]
    assert check_row("{{ event.email }}", "eq", "{{ event. }}") == [
        ("expression_syntax", "/c/all/0/any/0/right")
    ]


def test_cel_in_conditions_must_give_true_or_false():
    def codes(source: str) -> list[str]:
        return [p.code for p in check_condition({"cel": source}, types=TYPES, path="")]

    assert codes("event.score > 1") == []
    assert codes("event.free") == []
    assert codes("event.score") == ["wrong_type"]
