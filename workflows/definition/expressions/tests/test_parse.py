from __future__ import annotations

import subprocess
import sys

import pytest

from workflows.definition.expressions.errors import ExpressionLimitError, ExpressionSyntaxError
from workflows.definition.expressions.limits import MAX_NESTING, MAX_SOURCE
from workflows.definition.expressions.parse import parse
from workflows.definition.expressions.tree import (
    Binary,
    Call,
    Field,
    Has,
    Index,
    Literal,
    Macro,
    Name,
    Position,
    static_path,
)


def test_a_path_knows_where_each_name_stands():
    tree = parse("event.lead\n.email")

    assert isinstance(tree, Field)
    assert tree.at == (2, 2)
    assert static_path(tree) == ("event", "lead", "email")


def test_text_in_brackets_is_part_of_a_path_and_numbers_are_not():
    assert static_path(parse('steps["find"].output["e-mail"]')) == (
        "steps",
        "find",
        "output",
        "e-mail",
    )
    assert static_path(parse("event.items[0]")) is None


def test_words_reserved_elsewhere_are_names_here():
    assert static_path(parse("event.package.if.loop")) == ("event", "package", "if", "loop")
    assert parse("trueish") == Name(Position(1, 1), "trueish")


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("1", 1),
        ("-9223372036854775808", -(2**63)),
        ("0x1F", 31),
        ("7u", 7),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("null", None),
        (r'"a\n\x41\u00e9\U0001F600\101"', "a\nAé😀A"),
        (r'r"\d+"', r"\d+"),
        ("'''it's\n\"two\" lines'''", 'it\'s\n"two" lines'),
        ('""', ""),
        ('""""""', ""),
    ],
)
def test_literals_stand_for_their_values(source, value):
    tree = parse(source)

    assert isinstance(tree, Literal)
    assert tree.value == value
    assert type(tree.value) is type(value)


def test_operators_bind_as_in_cel():
    tree = parse("1 + 2 * 3 == 7 && !a || b")

    assert isinstance(tree, Binary)
    assert tree.operator == "||"
    assert isinstance(tree.left, Binary)
    assert tree.left.operator == "&&"


def test_a_minus_without_spaces_subtracts():
    assert isinstance(parse("a-1"), Binary)


def test_macros_and_has_are_told_from_calls():
    assert isinstance(parse("event.items.map(x, x.id)"), Macro)
    assert isinstance(parse("event.name.contains('a')"), Call)
    assert isinstance(parse("has(event.name)"), Has)
    assert isinstance(parse("event.items[0]"), Index)


@pytest.mark.parametrize(
    ("source", "line", "column", "says"),
    [
        ("", 1, 1, "empty"),
        ("event.", 1, 7, "too early"),
        ("1 +\n* 2", 2, 1, "`*` cannot stand here"),
        ('event.name == "abc', 1, 15, "no closing quote"),
        ("a @ b", 1, 3, "`@` cannot stand here"),
        ("9223372036854775808", 1, 1, "too large"),
        ("1e999", 1, 1, "too large"),
        (r'"\q"', 1, 1, "no escape"),
        (r'"\ud800"', 1, 1, "no character"),
        ('b"x"', 1, 1, "no bytes"),
        ("Lead{name: 1}", 1, 5, "without a name in front"),
        (".event", 1, 1, "begin with a dot"),
        ("has(1)", 1, 1, "needs one field"),
        ("a.map(1, 2)", 1, 3, "plain name first"),
    ],
)
def test_syntax_errors_say_what_and_where(source, line, column, says):
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse(source)

    assert (caught.value.line, caught.value.column) == (line, column)
    assert says in caught.value.message
    assert caught.value.code == "expression_syntax"


@pytest.mark.parametrize(
    "source",
    [
        "a" * (MAX_SOURCE + 1),
        "(" * (MAX_NESTING + 1) + "1" + ")" * (MAX_NESTING + 1),
        "(" * 1990 + "1" + ")" * 1990,
        "[" * 1990 + "]" * 1990,
        "!" * 3000 + "a",
        "-" * 3000 + "a",
        "+".join("1" * 1000),
        "a" + ".b" * 1000,
        "?1:".join("a" * 900),
    ],
)
def test_what_is_too_long_or_too_deep_is_a_clean_limit(source):
    with pytest.raises((ExpressionLimitError, ExpressionSyntaxError)):
        parse(source)


def test_brackets_inside_text_do_not_count():
    assert parse('"' + "(" * 100 + '"') == Literal(Position(1, 1), "(" * 100)


def test_an_unfinished_text_full_of_escapes_is_refused_at_once():
    with pytest.raises(ExpressionSyntaxError, match="no closing quote"):
        parse('"' + r"\n" * 1900)


def test_parsing_does_not_import_cel_python_itself():
    script = (
        "import sys; from workflows.definition.expressions.parse import parse; parse('a.b');"
        "assert 'celpy' not in sys.modules; assert sys.getrecursionlimit() == 1000"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0  # noqa: S603
