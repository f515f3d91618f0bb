"""A version's document, compiled once: its graph by numbers, its texts as functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from leadsend.lib.errors import ConfigurationError
from registry.sdk.action import Action, Delivery, RetryPolicy
from registry.sdk.catalog_view import CatalogView
from runtime.engine.calendar_delays import needs_calendar
from runtime.engine.control_steps import (
    Steer,
    compile_condition_step,
    compile_delay_step,
    compile_end_step,
    compile_switch_step,
)
from runtime.engine.fields import Scope, compile_fields
from runtime.engine.joins import threshold_of
from runtime.engine.loop_steps import LoopRules, compile_loop_rules, compile_loop_step
from runtime.engine.state import StepKey
from runtime.engine.waits import PlanWait, compile_wait
from workflows.definition.graph import Edge, Graph
from workflows.definition.graph_rules import fails_on_error_branch
from workflows.definition.loop_schemas import DEEPEST

_CONTROL: Final[Mapping[str, Callable[..., Steer]]] = {
    "condition": compile_condition_step,
    "switch": compile_switch_step,
    "delay": compile_delay_step,
    "end": compile_end_step,
    "loop": compile_loop_step,
}
_KINDS_TO_COME: Final = frozenset({"code"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAction:
    """What an action step calls, with the step's own retry and time limit put in.

    ``is_effect`` says that it touches the world, so that an intent has to be committed before.
    """

    action: Action
    inputs: Callable[[Scope], dict[str, Any]]
    retry: RetryPolicy
    timeout_s: float
    is_effect: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """One step; exactly one of ``call``, ``wait`` and ``steer`` is set.

    ``index`` is its place in ``Plan.steps``, or in the ``body`` of its ``parent``. ``edges`` are
    ``(branch, index of the target)``, ``sources`` are ``(index of the source, branch)``, one for each edge. ``threshold`` is how many
    arrivals start it before all edges are settled.
    """

    index: int
    id: str
    key: StepKey
    kind: str
    action_key: str
    edges: tuple[tuple[str, int], ...]
    sources: tuple[tuple[int, str], ...]
    incoming: int
    threshold: int
    has_error_branch: bool
    call: PlanAction | None = None
    steer: Steer | None = None
    wait: PlanWait | None = None
    parent: str = ""
    loop: PlanLoop | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLoop:
    """What a loop does for each item: the steps whose parent it is, and its rules.

    ``depth`` counts from 1: that many numbers has the path of its items.
    """

    body: tuple[PlanStep, ...]
    rules: LoopRules
    depth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All steps, each after all its predecessors, and what expressions see of the document.

    ``steps`` are those outside of loops, ``by_id`` has those inside as well. ``has_waits`` says that
    a step may wait for an answer. ``undo`` maps a step's id to the step that undoes it, which
    stands in ``by_id`` but not in ``steps``: no branch leads to it. ``calendars`` are the keys of
    those that delays go by ("": the usual one).
    """

    steps: tuple[PlanStep, ...]
    by_id: Mapping[str, PlanStep]
    variables: Mapping[str, Any]
    timeout_s: float | None = None
    has_waits: bool = False
    has_loops: bool = False
    undo: Mapping[str, PlanStep] = field(default_factory=dict)
    calendars: frozenset[str] = frozenset()

    @property
    def undo_ids(self) -> frozenset[str]:
        """Return the ids of the steps that only undo others."""
        return frozenset(step.id for step in self.undo.values())


class Given(NamedTuple):
    """What steps are compiled with."""

    graph: Graph
    catalog: CatalogView
    zone: ZoneInfo


def compile_plan(document: Mapping[str, Any], catalog: CatalogView) -> Plan:
    """Compile a document in full or canonical form; nothing of it is looked at again later.

    Raises ConfigurationError for what cannot be run: a kind that is still to come, a circle, an
    unknown action, an edge that leads nowhere, an expression that cannot be read.
    """
    graph = Graph.of(document)
    _check(document, graph)
    settings = document.get("settings") or {}
    zone = _zone(settings.get("timezone") or "UTC")
    by_id: dict[str, PlanStep] = {}
    steps = _block("", 0, Given(graph, catalog, zone), by_id)
    places = {step_id: len(steps) + at for at, step_id in enumerate(graph.undoes)}
    undo = {
        done: _step(step_id, Given(graph, catalog, zone), places)
        for step_id, done in graph.undoes.items()
    }
    by_id |= {step.id: step for step in undo.values()}
    if len(by_id) != len(graph.steps):
        lost = next(step_id for step_id in graph.steps if step_id not in by_id)
        raise ConfigurationError(
            f"Step {lost} stands in a loop that is inside itself.", code="loop_in_itself"
        )
    return Plan(
        steps=steps,
        by_id=by_id,
        undo=undo,
        variables={v["key"]: v.get("value") for v in document.get("variables") or ()},
        timeout_s=settings.get("timeout_s"),
        calendars=_calendars(graph),
        has_waits=any(step.wait is not None for step in by_id.values()),
        has_loops=any(step.loop for step in steps),
    )


def _calendars(graph: Graph) -> frozenset[str]:
    cfgs = [step.get("cfg") or {} for step in graph.steps.values() if step.get("kind") == "delay"]
    return frozenset(str(cfg.get("calendar") or "") for cfg in cfgs if needs_calendar(cfg))


def _check(document: Mapping[str, Any], graph: Graph) -> None:
    if len(graph.steps) != len(document.get("steps") or ()):
        raise ConfigurationError("Every step needs an id of its own.", code="step_id")
    if circle := graph.find_cycle():
        raise ConfigurationError(
            f"These steps lead back to each other: {', '.join(circle)}. Use a loop.", code="cycle"
        )
    for edge in document.get("edges") or ():
        for end in (edge.get("from"), edge.get("to")):
            if end not in graph.steps:
                raise ConfigurationError(
                    f"An edge names the step {end}, which does not exist.", code="edge_unknown"
                )
            if end in graph.undoes:
                raise ConfigurationError(
                    f"The step {end} undoes another one, so no edge may lead to it or from it.",
                    code="undo_linked",
                )
        if _parent(graph, edge["from"]) != _parent(graph, edge["to"]):
            raise ConfigurationError(
                f"The edge from {edge['from']} to {edge['to']} leads into a loop or out of it.",
                code="crosses_loop",
            )
    for step_id in graph.steps:
        _check_parent(graph, step_id)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise ConfigurationError(
            f"There is no time zone {name!r}: correct it in the settings.", code="unknown_timezone"
        ) from error


def _check_parent(graph: Graph, step_id: str) -> None:
    parent = _parent(graph, step_id)
    if parent and (parent not in graph.steps or graph.kind(parent) != "loop"):
        raise ConfigurationError(
            f"Step {step_id}: {parent}, in which it stands, is no loop.", code="not_a_loop"
        )
    if parent and step_id in graph.undoes:
        raise ConfigurationError(
            f"Step {step_id} stands in a loop, where no step can undo another.",
            code="undo_in_loop",
        )


def _parent(graph: Graph, step_id: str) -> str:
    return graph.steps[step_id].get("parent") or ""


def _block(
    parent: str, depth: int, given: Given, by_id: dict[str, PlanStep]
) -> tuple[PlanStep, ...]:
    """Compile the steps of one level, those inside its loops first; put all into ``by_id``."""
    graph = given.graph
    if depth > DEEPEST:
        raise ConfigurationError(
            f"Loop {parent}: loops stand in each other at most {DEEPEST} deep.", code="too_deep"
        )
    ids = [
        step_id
        for step_id in graph.order
        if _parent(graph, step_id) == parent and step_id not in graph.undoes
    ]
    index = {step_id: at for at, step_id in enumerate(ids)}
    found = []
    for step_id in ids:
        loop = None
        if graph.kind(step_id) == "loop":
            body = _block(step_id, depth + 1, given, by_id)
            cfg = graph.steps[step_id].get("cfg") or {}
            rules = compile_loop_rules(cfg, step_id=step_id)
            loop = PlanLoop(body=body, rules=rules, depth=depth + 1)
        step = _step(step_id, given, index, loop)
        found.append(step)
        by_id[step_id] = step
    return tuple(found)


def _step(
    step_id: str, given: Given, index: Mapping[str, int], loop: PlanLoop | None = None
) -> PlanStep:
    graph = given.graph
    step = graph.steps[step_id]
    kind = step.get("kind", "action")
    call = _call(step, given.catalog) if kind == "action" else None
    incoming = graph.incoming[step_id]
    edges = graph.outgoing[step_id]
    has_timeout = any(edge.branch == "timeout" for edge in edges)
    wait = compile_wait(step, kind, has_timeout_branch=has_timeout)
    return PlanStep(
        index=index[step_id],
        id=step_id,
        key=(step_id, None),
        kind=kind,
        action_key=step.get("action_key") or "",
        edges=tuple((edge.branch, index[edge.target]) for edge in edges),
        sources=tuple((index[edge.source], edge.branch) for edge in incoming),
        incoming=len(incoming),
        threshold=threshold_of(graph.join(step_id), incoming=len(incoming)),
        has_error_branch=_has_error_branch(step, edges),
        call=call,
        steer=None if call or wait else _steer(step, kind, given.zone),
        wait=wait,
        parent=step.get("parent") or "",
        loop=loop,
    )


def _has_error_branch(step: Mapping[str, Any], edges: tuple[Edge, ...]) -> bool:
    return any(edge.branch == "error" for edge in edges) and fails_on_error_branch(step)


def _steer(step: Mapping[str, Any], kind: str, zone: ZoneInfo) -> Steer:
    compile_step = _CONTROL.get(kind)
    if compile_step is None:
        known = "cannot run yet" if kind in _KINDS_TO_COME else "does not exist"
        raise ConfigurationError(
            f"Step {step['id']}: the kind {kind} {known}.", code="kind_to_come"
        )
    if kind == "delay":
        return compile_delay_step(step.get("cfg") or {}, step_id=step["id"], zone=zone)
    return compile_step(step.get("cfg") or {}, step_id=step["id"])


def _call(step: Mapping[str, Any], catalog: CatalogView) -> PlanAction:
    action = catalog.action(step.get("action_key") or "")
    if action is None:
        raise ConfigurationError(
            f"Step {step['id']}: there is no action {step.get('action_key')!r} here.",
            code="action_unknown",
        )
    return PlanAction(
        action=action,
        inputs=compile_fields(step.get("cfg") or {}, step_id=step["id"]),
        retry=replace(action.retry, **(step.get("retry") or {})),
        timeout_s=float(step.get("timeout_s") or action.timeout_s),
        is_effect=not action.pure and action.delivery is not Delivery.TRANSACTIONAL,
    )
