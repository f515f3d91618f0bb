"""What a document means, told a second time: slow, by names, and without a line of the engine.

Time is seconds since the start. Whoever plays a run calls ``go`` after every change and ``reply``
for what was asked; ``asked``, ``due`` and ``end`` say what follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.engine.tests.big_graphs import BigGraph

_EFFECTS = frozenset({"send", "fire", "write"})
_TRIES = 3
_OPEN = frozenset({"WAITING", "RETRY", "ASKED"})


class Reference:
    """One run. ``status`` names each step that was come to; ``way`` the branch it was left by."""

    def __init__(self, graph: BigGraph) -> None:
        self.fates = graph.fates
        self.steps = {step["id"]: step for step in graph.document["steps"]}
        self.edges = graph.document["edges"]
        self.order = self._order()
        self.now = 0
        self.status: dict[str, str] = {}
        self.way: dict[str, str] = {}
        self.due: dict[str, int] = {}
        self.tries: dict[str, int] = {}
        self.end: tuple[str, str | None] | None = None

    @property
    def asked(self) -> set[str]:
        """Return the steps whose effect has not answered."""
        return {step for step, status in self.status.items() if status == "ASKED"}

    def go(self) -> None:
        """Do everything that can be done, the foremost step first, until nothing is left."""
        before = dict(self.status)
        while not self._stops() and self._do_one():
            pass
        if self._stops():
            # What would have been asked in this pass is not.
            for step in self.asked:
                self._take_back(step, before.get(step))
        if not self.asked:
            self._finish()

    def reply(self, step: str) -> None:
        """Answer an effect by its fate: later, for good, or well."""
        fate = self.fates[step]
        self.tries[step] += 1
        if self.tries[step] <= fate.later and self.tries[step] < _TRIES:
            self.status[step] = "RETRY"
            self.due[step] = self.now + 2 ** (self.tries[step] - 1)
        elif self.tries[step] <= fate.later or fate.way == "fails":
            self._fail(step)
        else:
            self._succeed(step, fate.way)

    def next_due(self) -> int | None:
        """Return when something waits for its moment, None when nothing does."""
        if self._stops():
            return None
        waiting = [step for step, status in self.status.items() if status in ("WAITING", "RETRY")]
        return min((self.due[step] for step in waiting), default=None)

    def play_out(self, step: str) -> bool:
        """Bring a step to its last status, those before it being there; say whether it stops.

        The meaning in one line: a step runs exactly when an edge into it is taken, or it has none.
        """
        into = [edge for edge in self.edges if edge["to"] == step]
        if into and not any(self.way.get(e["from"]) == e["branch_key"] for e in into):
            self.status[step] = "SKIPPED"
        elif self.fates[step].way == "fails" or self.fates[step].later >= _TRIES:
            self._fail(step)
        else:
            self._succeed(step, self.fates[step].way)
        return self._is_over(step)

    def _do_one(self) -> bool:
        return any(self._do(step) for step in self.order)

    def _do(self, step: str) -> bool:
        status = self.status.get(step)
        if status in ("WAITING", "RETRY"):
            if self.due[step] > self.now:
                return False
            if status == "WAITING":
                self._succeed(step, "default")
            else:
                self.status[step] = "ASKED"
            return True
        if status is not None or (standing := self._standing(step)) == "blocked":
            return False
        if standing == "dead":
            self.status[step] = "SKIPPED"
        else:
            self._begin(step)
        return True

    def _begin(self, step: str) -> None:
        kind, fate = self.steps[step]["kind"], self.fates[step]
        if kind == "action" and self.steps[step]["action_key"] in _EFFECTS:
            self.status[step] = "ASKED"
            self.tries.setdefault(step, 0)
        elif fate.way == "fails":
            self._fail(step)
        elif kind == "delay" and fate.minutes:
            self.status[step] = "WAITING"
            self.due[step] = self.now + 60 * fate.minutes
        else:
            self._succeed(step, fate.way)

    def _standing(self, step: str) -> str:
        into = [edge for edge in self.edges if edge["to"] == step]
        open_edges = [edge for edge in into if not self._is_settled(edge["from"])]
        taken = [edge for edge in into if self.way.get(edge["from"]) == edge["branch_key"]]
        if not open_edges:
            return "ready" if taken or not into else "dead"
        needed = _needed(self.steps[step].get("join", "all"), len(into))
        return "ready" if len(taken) >= needed else "blocked"

    def _is_settled(self, step: str) -> bool:
        return step in self.status and self.status[step] not in _OPEN

    def _succeed(self, step: str, way: str) -> None:
        self.status[step], self.way[step] = "SUCCESS", way

    def _fail(self, step: str) -> None:
        self.status[step] = "FAILED"
        if self._has_way_out(step):
            self.way[step] = "error"

    def _has_way_out(self, step: str) -> bool:
        return any(e["from"] == step and e["branch_key"] == "error" for e in self.edges)

    def _is_over(self, step: str) -> bool:
        is_end = self.steps[step]["kind"] == "end" and self.status.get(step) == "SUCCESS"
        return is_end or (self.status.get(step) == "FAILED" and step not in self.way)

    def _stops(self) -> bool:
        return any(self._is_over(step) for step in self.steps)

    def _take_back(self, step: str, before: str | None) -> None:
        if before is None:
            del self.status[step]
        else:
            self.status[step] = before

    def _finish(self) -> None:
        over = [step for step in self.order if self._is_over(step)]
        ends = [step for step in over if self.status[step] == "SUCCESS"]
        if ends:
            self.end = ("SUCCESS", None) if self.way[ends[0]] == "success" else ("FAILED", ends[0])
        elif over:
            self.end = ("FAILED", over[0])
        elif not set(self.status.values()) & _OPEN:
            self.end = ("SUCCESS", None)
        if self.end:
            closed = {"WAITING": "CANCELLED", "RETRY": "FAILED"}
            self.status = {step: closed.get(s, s) for step, s in self.status.items()}

    def _order(self) -> list[str]:
        """Return the steps as they stand in the document, each moved behind all that lead to it."""
        order: list[str] = []
        while len(order) < len(self.steps):
            left = [step for step in self.steps if step not in order]
            order.append(next(step for step in left if self._may_follow(step, order)))
        return order

    def _may_follow(self, step: str, order: list[str]) -> bool:
        return all(edge["from"] in order for edge in self.edges if edge["to"] == step)


def meaning(graph: BigGraph) -> tuple[dict[str, str], bool]:
    """Return the status of every step when nothing stops the run, and whether something would."""
    run = Reference(graph)
    stops = sum([run.play_out(step) for step in run.order]) > 0
    return run.status, stops


def _needed(join: str | Mapping[str, Any], edges: int) -> int:
    if isinstance(join, str):
        return {"all": edges, "any": 1}[join]
    return int(join["first"])
