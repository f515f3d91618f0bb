"""Random documents, and an interpreter of their meaning that shares no code with the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from runtime.engine.plan import Plan, compile_plan
from runtime.engine.tests.making import ToyCatalog, act, control

BRANCHES = {
    "condition": ("yes", "no"),
    "switch": ("one", "two", "default"),
    "echo": ("default", "error"),
    "send": ("default", "error"),
    "fire": ("default", "error"),
    "write": ("default", "error"),
    "delay": ("default",),
}


@dataclass(frozen=True)
class Drawn:
    """A document and what each of its steps will come to: a branch, or ``fails``."""

    document: Mapping[str, Any]
    flavours: Mapping[str, str]
    outcomes: Mapping[str, str]

    def plan(self) -> Plan:
        return compile_plan(self.document, ToyCatalog())

    def in_a_loop(self, *, concurrency: int, items: int) -> Plan:
        """Return the plan of a loop whose body this is, for so many items."""
        cfg = {"list": list(range(items)), "concurrency": concurrency, "on_error": "continue"}
        steps = [{**step, "parent": "each"} for step in self.document["steps"]]
        each = {"id": "each", "kind": "loop", "cfg": cfg}
        return compile_plan({**self.document, "steps": [each, *steps]}, ToyCatalog())


@st.composite
def documents(draw: st.DrawFn, *, may_fail: bool = True, longest: int = 9) -> Drawn:
    """Draw a graph of any shape; a step's edges lead to steps with a higher number."""
    count = draw(st.integers(1, longest))
    flavours = {f"s{n}": draw(st.sampled_from(sorted(BRANCHES))) for n in range(count)}
    edges = []
    for target in range(1, count):
        for source in draw(st.lists(st.integers(0, target - 1), unique=True, max_size=3)):
            branch = draw(st.sampled_from(BRANCHES[flavours[f"s{source}"]]))
            edges.append({"from": f"s{source}", "to": f"s{target}", "branch_key": branch})
    guarded = {edge["from"] for edge in edges if edge["branch_key"] == "error"}
    outcomes = {}
    for step_id, flavour in flavours.items():
        choices = [branch for branch in BRANCHES[flavour] if branch != "error"]
        if "error" in BRANCHES[flavour] and (may_fail or step_id in guarded):
            choices.append("fails")
        outcomes[step_id] = draw(st.sampled_from(choices))
    steps = [_step(step_id, flavours[step_id], outcomes[step_id], draw) for step_id in flavours]
    document = {"name": "Drawn", "steps": draw(st.permutations(steps)), "edges": edges}
    return Drawn(document=document, flavours=flavours, outcomes=outcomes)


def expected(drawn: Drawn) -> tuple[dict[str, str], bool]:
    """Return the final status of every step when all of them are played out, and whether one
    fails without an error branch.

    The meaning in one line: a step runs exactly when an edge into it was taken, or it has none.
    """
    edges = drawn.document["edges"]
    taken: dict[str, str] = {}
    statuses: dict[str, str] = {}
    fails = False
    for number in range(len(drawn.flavours)):
        step_id = f"s{number}"
        incoming = [edge for edge in edges if edge["to"] == step_id]
        if incoming and not any(taken.get(e["from"]) == e["branch_key"] for e in incoming):
            statuses[step_id] = "SKIPPED"
            continue
        outcome = drawn.outcomes[step_id]
        statuses[step_id] = "FAILED" if outcome == "fails" else "SUCCESS"
        taken[step_id] = "error" if outcome == "fails" else outcome
        has_way_out = any(
            edge["from"] == step_id and edge["branch_key"] == "error" for edge in edges
        )
        fails = fails or (outcome == "fails" and not has_way_out)
    return statuses, fails


def _step(step_id: str, flavour: str, outcome: str, draw: st.DrawFn) -> dict[str, Any]:
    join = draw(st.sampled_from(["all", "any", {"first": 1}, {"first": 2}]))
    if flavour == "condition":
        return control(step_id, "condition", {"cel": str(outcome == "yes").lower()}, join=join)
    if flavour == "switch":
        cases = [{"key": k, "when": {"cel": str(outcome == k).lower()}} for k in ("one", "two")]
        return control(step_id, "switch", {"cases": cases}, join=join)
    if flavour == "delay":
        span = {"value": draw(st.integers(0, 3)), "unit": "minutes"}
        return control(step_id, "delay", {"for": span}, join=join)
    cfg = {"raise": "permanent"} if outcome == "fails" and flavour == "echo" else {}
    return act(step_id, flavour, cfg=cfg, join=join)
