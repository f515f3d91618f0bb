"""What can be wrong with the expressions in a document, each checked where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from leadsend.lib.errors import Problem
from registry.sdk.catalog_view import CatalogView
from workflows.definition import environment, pointer
from workflows.definition.certainty import certain_at_end, certain_before
from workflows.definition.condition_form import check_condition_form
from workflows.definition.expressions.check import check_condition, check_value, type_of
from workflows.definition.expressions.types import TypeEnv
from workflows.definition.expressions.values import Kind
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


# Inside of what is no loop, or of one in a circle; that is told elsewhere.
_ANY_ITEM: Mapping[str, Any] = {"item": {}, "index": {"type": "integer"}}
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
    items: dict[str, Mapping[str, Any]] = {}
    # A loop comes before the steps inside it, which see its items.
    for step in sorted(graph.order, key=lambda step: len(graph.loops_around(step))):
        types = _types_at(step, graph, roots, certain[step], items)
        path = pointer.join(paths.get(step, ""), "cfg")
        place = _Place(types=types, path=path, step_id=step)
        if graph.kind(step) == "loop":
            items[step] = _loop_roots(graph.steps[step]["cfg"], types)
        if step not in paths:
            continue
        if graph.kind(step) == "loop":
            done = certain_at_end(graph, step, certain)
            yield from _loop(
                graph.steps[step]["cfg"], place, _inside(step, graph, place, items[step], done)
            )
        else:
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
    items: Mapping[str, Mapping[str, Any]],
) -> TypeEnv:
    before = _ancestors(graph, step)
    around = graph.loops_around(step)
    if around:
        roots = {**roots, **items.get(around[0], _ANY_ITEM)}
    later = frozenset(graph.steps) - before
    return TypeEnv(roots=roots, maybe_absent=before - certain, later=later)


def _loop_roots(cfg: Any, types: TypeEnv) -> Mapping[str, Any]:
    """Return the roots that exist inside a loop; ``types`` is what its own settings may name."""
    index = {"index": {"type": "integer"}}
    given = cfg if isinstance(cfg, Mapping) else {}
    if given.get("mode") == "until":
        return index
    listed = type_of(given.get("list"), types=types)
    item = listed.schema.get("items") if listed.kinds == {Kind.LIST} else None
    known = item if isinstance(item, Mapping) else {}
    size = given.get("batch_size", 1)
    return {"item": known if size == 1 else {"type": "array", "items": known}} | index


def _inside(
    loop: str, graph: Graph, place: _Place, items: Mapping[str, Any], done: frozenset[str]
) -> _Place:
    """Return what an expression of a loop may name that is looked at when an item is through."""
    inner = {step for step in graph.steps if graph.steps[step].get("parent") == loop}
    types = TypeEnv(
        roots={**place.types.roots, **items},
        maybe_absent=place.types.maybe_absent | (inner - done),
        later=place.types.later - inner,
    )
    return _Place(types=types, path=place.path, step_id=loop)


def _step_schemas(graph: Graph, catalog: CatalogView) -> Mapping[str, Any]:
    return environment.closed(
        {name: environment.step_schema(data, catalog) for name, data in graph.steps.items()}
    )


def _ancestors(graph: Graph, step: str) -> frozenset[str]:
    found = graph.ancestors(step)
    for loop in graph.loops_around(step):
        found |= graph.ancestors(loop)
    return found


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


def _loop(cfg: Any, place: _Place, inside: _Place) -> Iterator[Problem]:
    if not isinstance(cfg, Mapping):
        return
    inner = ("output", "until")
    yield from _values({key: value for key, value in cfg.items() if key not in inner}, place)
    if "output" in cfg:
        yield from _values(cfg["output"], inside.at("output"))
    if cfg.get("until"):
        yield from _condition(cfg["until"], inside.at("until"))


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
