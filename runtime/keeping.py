"""Which results of a finished execution are kept when it is tried again, and which steps run anew.

What is done and comes before everything that runs again is simply taken over. An effect that is
done but comes after it is *kept in reserve*: its result is used when the new execution comes to
the step, so nothing happens twice in the world unless a person asks for that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from registry.sdk.catalog_view import CatalogView
from runtime.models import StepExecution
from workflows.definition.graph import Graph

ALL: Final = "*"
# What a person or another workflow did for a step is an effect like that of an action.
_LASTING_KINDS: Final = frozenset({"approval", "wait", "workflow"})
Key = tuple[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Where to begin, and what to do again.

    ``from_step`` and ``run_again`` are step ids (``ALL`` in the latter: whatever comes after where
    it begins). ``anew``: it begins at the start of the workflow when no ``from_step`` is named.
    """

    from_step: str | None = None
    run_again: frozenset[str] = frozenset()
    anew: bool = False

    @property
    def named(self) -> frozenset[str]:
        """Return the steps whose results are not wanted any more, whatever they did."""
        return self.run_again | ({self.from_step} if self.from_step else frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Rows of the old execution: taken over as they are, and kept in reserve."""

    settled: tuple[StepExecution, ...]
    in_reserve: tuple[StepExecution, ...]

    @property
    def step_ids(self) -> list[str]:
        """Return the steps whose result is kept, in the order in which they began."""
        rows = sorted(
            (row for row in (*self.settled, *self.in_reserve) if row.status != "SKIPPED"),
            key=lambda row: (row.started_at or row.created_at, row.pk),
        )
        return list(dict.fromkeys(row.step_id for row in rows))


def keep(rows: Iterable[StepExecution], graph: Graph, wish: Wish, *, catalog: CatalogView) -> Kept:
    """Return what is kept of an execution's rows on the way that ``graph`` describes.

    Steps are matched by id; one whose kind or action is another one now is run anew. What is done
    inside a loop that runs again is matched by the item's place in the list.
    """
    latest = _latest(rows)
    unwanted = set(wish.named) | _undone(latest, graph)
    unwanted |= {row.step_id for row in latest.values() if not _fits(row, graph)}
    wanted = [row for row in latest.values() if row.step_id not in unwanted]
    behind = _behind(unwanted | _open(wanted, graph, wish), graph)
    reserve = () if ALL in wish.run_again else wanted
    return Kept(
        settled=tuple(r for r in wanted if r.step_id not in behind and is_settled(r)),
        in_reserve=tuple(
            r for r in reserve if r.step_id in behind and _was_done(r) and _lasts(r, catalog)
        ),
    )


def is_settled(row: StepExecution) -> bool:
    """Say whether nothing more is to come of the step."""
    if row.status == "FAILED":
        return row.branch == "error" and row.due_at is None
    return row.status in ("SUCCESS", "SKIPPED")


def is_lasting(row: StepExecution, *, catalog: CatalogView) -> bool:
    """Say whether the step did something in the world that a new try keeps."""
    return _was_done(row) and _lasts(row, catalog)


def _was_done(row: StepExecution) -> bool:
    # One that was kept in reserve and never come to has the branch that it took the first time.
    return row.status == "SUCCESS" or (row.status in ("SKIPPED", "CANCELLED") and row.branch != "")


def _lasts(row: StepExecution, catalog: CatalogView) -> bool:
    if row.kind != "action":
        return row.kind in _LASTING_KINDS
    action = catalog.action(row.action_key)
    return action is None or not action.pure


def _latest(rows: Iterable[StepExecution]) -> Mapping[Key, StepExecution]:
    latest: dict[Key, StepExecution] = {}
    for row in sorted(rows, key=lambda row: (row.again, row.attempt)):
        latest[row.step_id, row.item] = row
    return latest


def _fits(row: StepExecution, graph: Graph) -> bool:
    step = graph.steps.get(row.step_id)
    if step is None:
        return False
    is_same_kind: bool = step.get("kind", "action") == row.kind
    return is_same_kind and (step.get("action_key") or "") == row.action_key


def _undone(latest: Mapping[Key, StepExecution], graph: Graph) -> set[str]:
    """Return the steps that were undone after the failure, and those that undid them."""
    ran = {row.step_id for row in latest.values() if row.status == "SUCCESS"}
    pairs = {(step, data["undo"]) for step, data in graph.steps.items() if data.get("undo") in ran}
    return {step for pair in pairs for step in pair}


def _open(wanted: Iterable[StepExecution], graph: Graph, wish: Wish) -> set[str]:
    """Return the steps at which the execution goes on by itself."""
    if wish.anew and wish.from_step is None:
        return set(graph.steps)
    rows = list(wanted)
    done = {row.step_id for row in rows}
    through = {row.step_id for row in rows if row.item is None and is_settled(row)}
    # A loop that is through may have gone on past items that failed.
    open_ = {
        row.step_id
        for row in rows
        if not is_settled(row) and (row.item is None or _outermost(row, graph) not in through)
    }
    # Without a row: never come to, or new in this version. Steps in loops may well have none.
    missing = {
        step for step, data in graph.steps.items() if step not in done and not data.get("parent")
    }
    return open_ | missing


def _outermost(row: StepExecution, graph: Graph) -> str:
    """Return the loop, outside of all others, in which the row's step stands."""
    return (row.step_id, *graph.loops_around(row.step_id))[-1]


def _behind(begin: Collection[str], graph: Graph) -> set[str]:
    """Return these steps with all that come after them; a loop runs again with what is in it."""
    bodies: dict[str, list[str]] = {}
    for step, data in graph.steps.items():
        bodies.setdefault(data.get("parent") or "", []).append(step)
    seen: set[str] = set()
    ahead = [step for step in begin if step in graph.steps]
    while ahead:
        step = ahead.pop()
        if step in seen:
            continue
        seen.add(step)
        ahead.extend((*graph.successors(step), *bodies.get(step, ())))
        if (parent := graph.steps[step].get("parent")) in graph.steps:
            ahead.append(str(parent))
    return seen
