"""What can be wrong with loops and the steps inside them, and what a loop puts out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from leadsend.lib.errors import Problem
from workflows.definition import durations, form, pointer
from workflows.definition.condition_form import check_condition_form
from workflows.definition.graph import Graph
from workflows.definition.loop_schemas import DEEPEST
from workflows.definition.words import label_of

Finding = tuple[str, tuple[str, ...], str]
_ONLY_EACH: Final = ("list", "batch_size", "concurrency", "max_items")
_ONLY_UNTIL: Final = ("until", "pause", "backoff", "max_rounds")
_COUNT: Final = {"type": "integer"}


def check_loop(cfg: Any, *, path: str, step_id: str | None) -> Iterator[Problem]:
    """Yield what is wrong with the settings of a loop beyond their form."""
    given = cfg if isinstance(cfg, Mapping) else {}
    findings = _until(given) if given.get("mode") == "until" else _each(given)
    for code, where, message in findings:
        at = pointer.join(path, *where)
        yield Problem(code=code, message=message, path=at, step_id=step_id)
    if given.get("mode") == "until" and given.get("until"):
        at = pointer.join(path, "until")
        yield from check_condition_form(given["until"], path=at, step_id=step_id)


def check_bodies(graph: Graph, paths: Mapping[str, str]) -> Iterator[Problem]:
    """Yield loops without a step inside, and loops that stand too deep in each other."""
    parents = {data.get("parent") for data in graph.steps.values()}
    for step in graph.steps:
        if graph.kind(step) == "loop":
            for code, field, message in _body_faults(graph, step, step in parents):
                at = pointer.join(paths[step], *field)
                yield Problem(code=code, message=message, path=at, step_id=step)


def output_of(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of what a loop puts out when it succeeds."""
    cfg = step.get("cfg")
    given = cfg if isinstance(cfg, Mapping) else {}
    properties: dict[str, Any] = {"count": _COUNT, "succeeded": _COUNT, "failed": _COUNT}
    if "output" in given:
        properties["items"] = {"type": "array"}
    if given.get("on_error") == "collect":
        properties["errors"] = {"type": "array", "items": _ERROR}
    if given.get("mode") == "until":
        properties["reached"] = {"type": "boolean"}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_ERROR: Final = {
    "type": "object",
    "properties": {
        "index": _COUNT,
        "code": {"type": "string"},
        "message": {"type": "string"},
        "step_id": {"type": "string"},
        "field": {"type": "string"},
        "expression": {"type": "string"},
        "column": _COUNT,
        "problems": {"type": "array"},
    },
    "required": ["index", "code", "message"],
}


def _each(cfg: Mapping[str, Any]) -> Iterator[Finding]:
    items = cfg.get("list")
    if items is None or items == "":
        yield "missing", ("list",), "Say which list to go through, like {{ event.items }}."
    elif isinstance(items, str) and not form.has_hole(items):
        yield "form", ("list",), "The list is an expression like {{ event.items }}."
    for name in _ONLY_UNTIL:
        if name in cfg:
            yield (
                "unknown_key",
                (name,),
                f"“{name}” is only for loops that repeat until something holds: remove it.",
            )


def _until(cfg: Mapping[str, Any]) -> Iterator[Finding]:
    if not cfg.get("until"):
        yield "missing", ("until",), "Say when to stop: the condition that ends the loop."
    for name in _ONLY_EACH:
        if name in cfg:
            yield (
                "unknown_key",
                (name,),
                f"“{name}” is only for loops through a list: remove it.",
            )
    if "backoff" in cfg and "pause" not in cfg:
        yield "missing", ("pause",), "Say how long the first pause lasts, which then grows."
    yield from _span("pause", cfg.get("pause"))
    backoff = cfg.get("backoff")
    cap = backoff.get("cap") if isinstance(backoff, Mapping) else None
    if isinstance(cap, Mapping) and isinstance(cap.get("value"), str):
        yield "form", ("backoff", "cap", "value"), "The longest pause is a number."


def _span(name: str, span: Any) -> Iterator[Finding]:
    if not isinstance(span, Mapping):
        return
    if isinstance(span.get("value"), str) and not form.has_hole(span["value"]):
        yield (
            "form",
            (name, "value"),
            "How long is a number, or an expression like {{ vars.days }}.",
        )
        return
    try:
        too_long = durations.span(span) > durations.LONGEST_WAIT
    except ValueError:
        return  # its form is told by the schema, the value of a hole by the run
    if too_long:
        yield "form", (name,), "A pause lasts at most a year: make it shorter."


def _body_faults(graph: Graph, step: str, has_body: bool) -> Iterator[Finding]:
    label = label_of(graph.steps[step])
    outer = graph.loops_around(step)
    if not has_body:
        yield "empty_loop", (), f"Nothing stands inside {label}: add a step to it, or remove it."
    if step in outer:
        yield "loop_in_itself", ("parent",), f"{label} stands inside itself: move it out."
    elif len(outer) >= DEEPEST:
        yield (
            "too_deep",
            ("parent",),
            f"{label} stands in {len(outer)} loops, and {DEEPEST} is the most: move it out.",
        )
