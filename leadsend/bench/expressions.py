"""How long expressions, texts and conditions take, beside Google's evaluator in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from workflows.definition.expressions.compile import compile_expression
from workflows.definition.expressions.conditions import compile_condition
from workflows.definition.expressions.text import compile_text

try:
    from cel_expr_python import cel  # type: ignore[import-untyped]
except ImportError:  # it exists on Linux only, and only where the dev packages are installed
    cel = None

ROUNDS, CALLS = 7, 10_000
SCOPE: dict[str, Any] = {
    "event": {
        "email": "ada@example.org",
        "name": "Ada Byron",
        "score": 80,
        "items": [{"price": number} for number in range(10)],
    },
    "steps": {"find": {"output": {"id": "c-1"}}},
    "vars": {"hot": 50},
    "now": datetime(2026, 1, 31, 9, tzinfo=UTC),
}
EXPRESSIONS = {
    "path": "event.email",
    "long_path": "steps.find.output.id",
    "comparison": "event.score > vars.hot",
    "logic": 'event.score > vars.hot && event.email.endsWith(".org")',
    "macro_of_ten": "event.items.exists(x, x.price > 8)",
}
GROUP = {
    "all": [
        {"left": "{{ event.score }}", "op": "gt", "right": "{{ vars.hot }}"},
        {"left": "{{ event.email }}", "op": "is_not_empty"},
    ]
}
TEXT = "Dear {{ event.name }}, your score is {{ event.score }}."


def run() -> dict[str, float]:
    """Return microseconds a call by name; ``google_…`` and ``ratio_…`` where the reference exists.

    A ratio is Google's time divided by ours, both measured in this run (best of 7 rounds of
    10,000 calls). Google's evaluator gets the same whole scope with each call.
    """
    figures = {f"{name}_us": _time(compile_expression(text)) for name, text in EXPRESSIONS.items()}
    figures["condition_group_us"] = _time(compile_condition(GROUP))
    figures["text_two_holes_us"] = _time(compile_text(TEXT))
    if cel is not None:
        figures |= _reference(figures)
    figures["compile_us"] = _time(_compile_afresh, rounds=3, calls=200)
    return figures


def _reference(ours: dict[str, float]) -> dict[str, float]:
    variables = dict.fromkeys(SCOPE, cel.Type.DYN)
    env = cel.NewEnv(variables=variables)
    found: dict[str, float] = {}
    for name, source in EXPRESSIONS.items():
        google_us = _time(_google(env.compile(source)))
        found[f"google_{name}_us"] = google_us
        found[f"ratio_{name}"] = google_us / ours[f"{name}_us"]
    return found


def _google(expression: Any) -> Callable[[Any], Any]:
    return lambda scope: expression.eval(data=scope).plain_value()


def _compile_afresh(scope: Any) -> None:
    compile_expression.__wrapped__(EXPRESSIONS["logic"] + f" || {time.perf_counter_ns()} == 1")


def _time(call: Callable[[Any], Any], *, rounds: int = ROUNDS, calls: int = CALLS) -> float:
    """Return the microseconds of one call in the best round."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(calls):
            call(SCOPE)
        best = min(best, time.perf_counter() - start)
    return best / calls * 1_000_000
