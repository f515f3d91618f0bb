"""What can be wrong with the expressions in a document, each checked where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from leadsend.lib.errors import Problem
from registry.sdk.catalog_view import CatalogView
from workflows.definition import environment, pointer
from workflows.definition.certainty import certain_before
from workflows.definition.condition_form import check_condition_form
from workflows.definition.expressions.check import check_condition, check_value
from workflows.definition.expressions.types import TypeEnv
from workflows.definition.graph import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where an expression stands, and what it may name there."""

    types: TypeEnv
    path: str
    step_id: str | None = None

    def at(self, name: str) -> _Place:
        """Return the place of one setting."""
        path = pointer.join(self.path, name)
        return _Place(types=self.types, path=path, step_id=self.step_id)


# What the step that is waited for has put out: the name of it.
_MADE: Mapping[str, str] = {"reply": "message_id", "answer": "task_id"}


def check_expressions(
    document: Mapping[str, Any],
    graph: Graph,
    *,
    catalog: CatalogView,
    paths: Mapping[str, str],
) -> Iterator[Problem]:
    """Yield what is wrong with the expressions of triggers, settings and steps.

    ``paths`` gives the pointer of each step. Steps in a circle are left out: what has run before
    them cannot be told.
    """
    common = environment.common_roots(document, catalog)
    yield from _check_filters(document, common, catalog)
    settings = document["settings"]
    if isinstance(settings, Mapping) and "business_key" in settings:
        place = _Place(types=TypeEnv(roots=common), path="/settings/business_key")
        yield from _values(settings["business_key"], place)
    yield from _check_keys(settings, common)
    certain = certain_before(graph)
    roots = common | {"steps": _step_schemas(graph, catalog)}
    for step in graph.order:
        if step in paths:
            types = _types_at(step, graph, roots, certain[step])
            place = _Place(types=types, path=pointer.join(paths[step], "cfg"), step_id=step)
            yield from _check_step(graph.steps[step], place, catalog)


def _check_keys(settings: Any, common: Mapping[str, Any]) -> Iterator[Problem]:
    """Check the keys that are worked out when an event comes, before there is a run."""
    known = ("event", "request", "now")
    nothing = environment.closed({})
    roots = {root: common[root] if root in known else nothing for root in (*common, "steps")}
    for name in ("concurrency", "debounce"):
        rule = settings.get(name) if isinstance(settings, Mapping) else None
        if isinstance(rule, Mapping) and isinstance(rule.get("key"), str):
            path = pointer.join("", "settings", name, "key")
            yield from _values(rule["key"], _Place(types=TypeEnv(roots=roots), path=path))


def _check_filters(
    document: Mapping[str, Any], common: Mapping[str, Any], catalog: CatalogView
) -> Iterator[Problem]:
    for index, trigger in enumerate(document["triggers"]):
        event = environment.event_schema([trigger], catalog)
        roots = {"event": event, "request": common["request"], "now": common["now"]}
        path = pointer.join("", "triggers", index, "filter_conditions")
        place = _Place(types=TypeEnv(roots=roots), path=path)
        yield from _condition(trigger["filter_conditions"], place)


def _types_at(
    step: str,
    graph: Graph,
    roots: Mapping[str, Any],
    certain: frozenset[str],
) -> TypeEnv:
    parent = graph.steps[step].get("parent")
    before = _ancestors(graph, step)
    if isinstance(parent, str) and parent:
        roots = {**roots, "item": {}, "index": {"type": "integer"}}
    later = frozenset(graph.steps) - before
    return TypeEnv(roots=roots, maybe_absent=before - certain, later=later)


def _step_schemas(graph: Graph, catalog: CatalogView) -> Mapping[str, Any]:
    return environment.closed(
        {name: environment.step_schema(data, catalog) for name, data in graph.steps.items()}
    )


def _ancestors(graph: Graph, step: str) -> frozenset[str]:
    parent = graph.steps[step].get("parent")
    if isinstance(parent, str) and parent in graph.steps:
        return graph.ancestors(step) | graph.ancestors(parent)
    return graph.ancestors(step)


def _check_step(step: Mapping[str, Any], place: _Place, catalog: CatalogView) -> Iterator[Problem]:
    kind, cfg = str(step.get("kind")), step["cfg"]
    if kind == "condition":
        yield from _condition(cfg, place)
    elif kind == "switch":
        yield from _cases(cfg, place)
    elif kind == "action":
        key = step.get("action_key")
        action = catalog.action(key) if isinstance(key, str) else None
        yield from _values(cfg, place, schema=action.config_schema if action else None)
    elif kind == "wait":
        yield from _wait(cfg, place, catalog)
    elif kind in {"delay", "end", "approval", "workflow"}:
        yield from _values(cfg, place)


def _wait(cfg: Any, place: _Place, catalog: CatalogView) -> Iterator[Problem]:
    if not isinstance(cfg, Mapping):
        return
    yield from _values({key: value for key, value in cfg.items() if key != "match"}, place)
    step, what = cfg.get("step"), cfg.get("for")
    if isinstance(step, str) and isinstance(what, str) and what in _MADE and not cfg.get("key"):
        yield from _values(f"{{{{ steps.{step}.output.{_MADE[what]} }}}}", place.at("step"))
    if cfg.get("match"):
        event = environment.event_schema([cfg], catalog)
        roots = {name: place.types.roots[name] for name in ("request", "now")} | {"event": event}
        where = _Place(types=TypeEnv(roots=roots), path=place.path, step_id=place.step_id)
        yield from _values(cfg["match"], where.at("match"))


def _cases(cfg: Any, place: _Place) -> Iterator[Problem]:
    cases = cfg.get("cases") if isinstance(cfg, Mapping) else None
    for index, case in enumerate(cases if isinstance(cases, list) else ()):
        if isinstance(case, Mapping) and "when" in case:
            path = pointer.join(place.path, "cases", index, "when")
            where = _Place(types=place.types, path=path, step_id=place.step_id)
            yield from _condition(case["when"], where)


def _condition(group: Any, place: _Place) -> Iterator[Problem]:
    # What is wrong with its form is told already; the expressions of a sound one can be looked at.
    if not any(check_condition_form(group, path=place.path)):
        yield from check_condition(group, types=place.types, path=place.path, step_id=place.step_id)


def _values(value: Any, place: _Place, *, schema: Any = None) -> Iterator[Problem]:
    yield from check_value(
        value, types=place.types, path=place.path, step_id=place.step_id, schema=schema
    )
