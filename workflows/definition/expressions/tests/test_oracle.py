"""Random expressions of the common subset, compared with Google's own evaluator."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workflows.definition.expressions.compile import compile_expression
from workflows.definition.expressions.errors import ExpressionError

cel = pytest.importorskip("cel_expr_python.cel", reason="Google's evaluator exists on Linux only")
assert sys.platform == "linux"

ENV = cel.NewEnv(
    variables={
        "i": cel.Type.INT,
        "j": cel.Type.INT,
        "d": cel.Type.DOUBLE,
        "s": cel.Type.STRING,
        "t": cel.Type.STRING,
        "b": cel.Type.BOOL,
        "xs": cel.Type.List(cel.Type.INT),
        "m": cel.Type.Map(cel.Type.STRING, cel.Type.INT),
    }
)
WORDS = st.text(alphabet="abAB €😀'-", max_size=4)
SCOPES = st.fixed_dictionaries(
    {
        "i": st.integers(-20, 20),
        "j": st.integers(-(2**63), 2**63 - 1),
        "d": st.floats(-100, 100, allow_nan=False).map(lambda x: round(x, 3)),
        "s": WORDS,
        "t": WORDS,
        "b": st.booleans(),
        "xs": st.lists(st.integers(-5, 5), max_size=4),
        "m": st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(-5, 5)),
    }
)


def form(template: str, **parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.fixed_dictionaries(parts).map(lambda chosen: template.format(**chosen))


ORDER = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
INTS: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["i", "j", "size(s)", "xs.size()", "m['a']", "m.b", "xs[0]", "xs[2]"]),
        st.integers(-9, 9).map(str),
        form("({a} {o} {b})", a=INTS, b=INTS, o=st.sampled_from(["+", "-", "*", "%"])),
        form("(-({a}))", a=INTS),
        form("({t} ? {a} : {b})", t=BOOLS, a=INTS, b=INTS),
        form("int({a})", a=DOUBLES),
    )
)
DOUBLES: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["d", "1.5", "0.25", "double(i)"]),
        form("({a} {o} {b})", a=DOUBLES, b=DOUBLES, o=st.sampled_from(["+", "-", "*"])),
    )
)
TEXTS: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["s", "t", "'a'", '"€"', r"'\u0041b'", "string(i)", "string(b)"]),
        form("({a} + {b})", a=TEXTS, b=TEXTS),
    )
)
LISTS: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.just("xs"),
        form("[{a}, {b}]", a=INTS, b=INTS),
        form("({a} + {b})", a=LISTS, b=LISTS),
        form("{a}.map(x, x + {b})", a=LISTS, b=INTS),
        form("{a}.filter(x, x {o} {b})", a=LISTS, b=INTS, o=ORDER),
    )
)
BOOLS: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["b", "true", "false", "has(m.a)", "has(m.c)", "('a' in m)"]),
        form("({a} {o} {b})", a=INTS, b=INTS, o=ORDER),
        form("({a} {o} {b})", a=DOUBLES, b=DOUBLES, o=ORDER),
        form("({a} {o} {b})", a=TEXTS, b=TEXTS, o=ORDER),
        form("({a} == {b})", a=LISTS, b=LISTS),
        form("({a} {o} {b})", a=BOOLS, b=BOOLS, o=st.sampled_from(["&&", "||", "=="])),
        form("(!{a})", a=BOOLS),
        form("({a} in {b})", a=INTS, b=LISTS),
        form("{a}.contains({b})", a=TEXTS, b=TEXTS),
        form("{a}.startsWith({b})", a=TEXTS, b=TEXTS),
        form("{a}.endsWith({b})", a=TEXTS, b=TEXTS),
        form("{a}.matches('^[a-z€]+$')", a=TEXTS),
        form("{a}.all(x, x {o} {b})", a=LISTS, b=INTS, o=ORDER),
        form("{a}.exists(x, x {o} {b})", a=LISTS, b=INTS, o=ORDER),
        form("{a}.exists_one(x, x {o} {b})", a=LISTS, b=INTS, o=ORDER),
        form("m.exists(k, k == {a})", a=TEXTS),
    )
)
FAILED = object()


def google(source: str, scope: dict[str, Any]) -> Any:
    value = ENV.compile(source).eval(data=scope)
    return FAILED if value.type() == cel.Type.ERROR else value.plain_value()


def ours(source: str, scope: dict[str, Any]) -> Any:
    try:
        return compile_expression(source)(scope)
    except ExpressionError:
        return FAILED


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    source=st.one_of(INTS, DOUBLES, TEXTS, LISTS, BOOLS).filter(lambda text: len(text) < 400),
    scope=SCOPES,
)
def test_random_expressions_give_what_googles_evaluator_gives(source, scope):
    expected = google(source, scope)
    result = ours(source, scope)

    assert result == expected, source
    assert type(result) is type(expected), source
