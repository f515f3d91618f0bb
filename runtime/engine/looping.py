"""How a loop goes on: its items walked one by one, and what it remembers of them.

What is known of an item's steps leaves memory when the item is settled. The loop's own open record
keeps ``{"total", "done", "failed", "next", "open": [index]}`` as its output, and in a loop that was
stopped by an item ``stopped_by``, its error. An item has a record under the loop's id and its own
path where it failed or where the loop gives outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from leadsend.lib.errors import LeadSendError
from runtime.engine.commands import ApplyWrite, CallEffect, Finish
from runtime.engine.decide import stops, verdict_of
from runtime.engine.loop_steps import LARGEST_ITEM_BYTES, LARGEST_LIST_BYTES, item_of, size_of
from runtime.engine.outcomes import close_open_steps, error_json
from runtime.engine.plan import PlanLoop, PlanStep
from runtime.engine.progress import Progress
from runtime.engine.state import Collected, StepKey, StepRecord
from runtime.engine.walk import Walk

Error = Mapping[str, Any]


class LoopWalk(Walk):
    """A walk that goes into loops."""

    __slots__ = ()

    def loop(self, step: PlanStep, record: StepRecord | None) -> None:
        """Move a loop on as far as it goes; ``record`` is None when it begins."""
        if record is None:
            begun = cast(StepRecord, self.work.begin(step))
            if begun.status != "SUCCESS":
                self.add(step, begun)
                return
            self.state.collected[step.id, self.item] = Collected(is_whole=True)
            record = replace(begun, status="RUNNING", branch="", ended_at=None)
        _Course(self, step, cast(PlanLoop, step.loop), record).go_on()

    def into(self, steps: tuple[PlanStep, ...], path: str, facts: Mapping[str, Any]) -> LoopWalk:
        """Return the walk over one item's steps; its records stand among those of this one."""
        latest = self.state.latest
        work, stopped = self.work.inside(path, facts), False
        for step in steps:
            record = latest.get((step.id, path))
            if record is not None:
                work.learn(record)
                stopped = stopped or stops(step, record)
        done = Progress(records=self.done.records)
        return LoopWalk(steps, self.state, work, done, self.ledger, stopped)

    def play(self) -> Finish | None:
        """Walk over an item's steps; return how the item ends, None while it goes on."""
        self.go()
        if self.done.calls or self.done.applies or self.is_busy():
            return None
        return verdict_of(self.steps, self.state, self.item)

    def is_busy(self) -> bool:
        """Say whether an effect of the item is under way."""
        in_flight, item = self.state.in_flight, cast(str, self.item)
        if not in_flight:
            return False
        if any((step.id, item) in in_flight for step in self.steps):
            return True
        has_inner = any(step.loop for step in self.steps)
        return has_inner and any(_is_inside(place, item) for _, place in in_flight)


class _Course:
    """One loop in one pass: a copy of its progress, written back at the end."""

    def __init__(self, walk: LoopWalk, step: PlanStep, loop: PlanLoop, record: StepRecord) -> None:
        self.walk = walk
        self.step = step
        self.loop = loop
        self.rules = loop.rules
        self.record = record
        self.key = (step.id, record.item)
        self.before = "" if record.item is None else f"{record.item}."
        known: Mapping[str, Any] = record.output
        self.total: int | None = known["total"]
        self.done: int = known["done"]
        self.failed: int = known["failed"]
        self.next: int = known["next"]
        self.open: list[int] = list(known["open"])
        self.stopped_by: Error | None = known.get("stopped_by")
        self.is_reached = False
        self.due_at: datetime | None = None
        self.calls: list[CallEffect] = []
        self.applies: list[ApplyWrite] = []

    def go_on(self) -> None:
        """Walk over the open items and as many new ones as may begin, then write it down."""
        for index in self.open.copy():
            if self.stopped_by is None:
                self._play(index)
        while self._may_begin():
            self.next += 1
            self.open.append(self.next - 1)
            self._play(self.next - 1)
        if self.stopped_by is not None:
            self._stop()
        elif self._is_through():
            self._end()
        else:
            self._stay()

    def _may_begin(self) -> bool:
        if self.stopped_by is not None or self.is_reached or self.due_at is not None:
            return False
        limit = self.rules.most if self.total is None else self.total
        if self.next >= limit or len(self.open) >= self.rules.concurrency:
            return False
        if self.walk.ledger.left <= 0:
            self.walk.ledger.has_more = True
            return False
        return True

    def _is_through(self) -> bool:
        if self.open:
            return False
        limit = self.rules.most if self.total is None else self.total
        return self.is_reached or (self.next >= limit and self.due_at is None)

    def _play(self, index: int) -> None:
        facts: dict[str, Any] = {"index": index}
        if self.rules.until is None:
            facts["item"] = item_of(self.record.input, self.rules, index)
        walk = self.walk.into(self.loop.body, f"{self.before}{index}", facts)
        finish = walk.play()
        if finish is not None:
            self._settle(index, walk, finish)
            return
        self.calls += walk.done.calls
        self.applies += walk.done.applies
        if walk.done.due_at is not None:
            self.walk.wait(walk.done.due_at)

    def _settle(self, index: int, walk: LoopWalk, finish: Finish) -> None:
        """Take in how an item ended, and let what is known of its steps go."""
        output, error = self._come_of(walk, finish)
        path = cast(str, walk.item)
        self._close(path)
        started_at = self._forget(path)
        self.open.remove(index)
        self.done += 1
        self.failed += error is not None
        self._keep(index, path, output, error, started_at)
        if error is not None and self.rules.on_error == "stop":
            self.stopped_by = self._named(path, error)
        elif self.rules.until is not None:
            self._after_round(walk, error)

    def _come_of(self, walk: LoopWalk, finish: Finish) -> tuple[Any, Error | None]:
        if finish.status != "SUCCESS":
            return None, finish.error
        if self.rules.output is None:
            return None, None
        try:
            output = self.rules.output(walk.work.scope)
        except LeadSendError as error:
            return None, error_json(error)
        size = size_of(output)
        if size > LARGEST_ITEM_BYTES:
            return None, {
                "code": "loop_output_too_big",
                "message": f"Step {self.step.id}, field output: this has {size // 1024} KiB, and "
                f"one item may give {LARGEST_ITEM_BYTES // 1024} at most. Give less of it.",
            }
        return output, None

    def _keep(
        self,
        index: int,
        path: str,
        output: Any,
        error: Error | None,
        started_at: datetime | None,
    ) -> None:
        rules = self.rules
        if rules.output is None and error is None:
            return
        self.walk.done.records.append(
            StepRecord(
                step_id=self.step.id,
                kind=self.step.kind,
                status="FAILED" if error else "SUCCESS",
                item=path,
                output=output,
                error=error,
                started_at=started_at,
                ended_at=self.walk.work.clock(),
            )
        )
        if rules.keeps_all:
            collected = self._collected()
            collected.add(index, output, error, size_of(output) if rules.output else 0)
            if collected.size_bytes > LARGEST_LIST_BYTES:
                self.stopped_by = {
                    "code": "loop_output_too_big",
                    "message": f"Step {self.step.id}, field output: all items together give more "
                    f"than {LARGEST_LIST_BYTES // 2**20} MiB. Give less of each.",
                }

    def _after_round(self, walk: LoopWalk, error: Error | None) -> None:
        """See whether a loop that repeats has come to its end, or when the next round begins."""
        rules, work = self.rules, walk.work
        try:
            if error is None and rules.until is not None and rules.until(work.scope).value:
                self.is_reached = True
            elif rules.pause is not None and self.next < rules.most:
                pause = rules.pause(work.scope, self.done)
                self.due_at = work.clock() + pause if pause else None
        except LeadSendError as failure:
            self.stopped_by = self._named(cast(str, walk.item), error_json(failure))

    def _stop(self) -> None:
        """Fail, once nothing of the other items is under way; what they would start is dropped."""
        state = self.walk.state
        paths = [f"{self.before}{index}" for index in self.open]
        if any(_is_inside(place, path) for _, place in state.in_flight for path in paths):
            self._write()
            return
        if any(
            record.status == "UNCERTAIN" and any(_is_inside(record.item, path) for path in paths)
            for record in state.latest.values()
        ):
            self._write()
            return
        for path in paths:
            self._close(path)
            self._forget(path)
        self._fail(cast(Error, self.stopped_by))

    def _end(self) -> None:
        if self.rules.keeps_all and not self._collected().is_whole:
            self.walk.ledger.gather += (self.key,)
            self._write()
            return
        if self.rules.until is not None and not self.is_reached:
            message = (
                f"Step {self.step.id}, field until: the condition did not hold after {self.done} "
                "rounds. Raise max_rounds, or lead on from the loop's branch “error”."
            )
            self._fail({"code": "loop_not_reached", "message": message})
            return
        output: dict[str, Any] = {
            "count": self.done,
            "succeeded": self.done - self.failed,
            "failed": self.failed,
        }
        self._collect(output)
        if self.rules.until is not None:
            output["reached"] = True
        self._finish(status="SUCCESS", branch="default", output=output)

    def _stay(self) -> None:
        self.walk.done.calls += self.calls
        self.walk.done.applies += self.applies
        self._write()

    def _write(self) -> None:
        """Put the progress into the loop's own record, where it changed."""
        known = self.walk.state.latest.get(self.key)
        progress = self._progress()
        if known is None or known.output != progress or known.due_at != self.due_at:
            self.walk.add(self.step, replace(self.record, output=progress, due_at=self.due_at))

    def _progress(self) -> dict[str, Any]:
        progress: dict[str, Any] = {
            "total": self.total,
            "done": self.done,
            "failed": self.failed,
            "next": self.next,
            "open": self.open,
        }
        return progress | ({"stopped_by": self.stopped_by} if self.stopped_by else {})

    def _fail(self, error: Error) -> None:
        branch = "error" if self.step.has_error_branch else ""
        self._finish(status="FAILED", branch=branch, output=self._progress(), error=error)

    def _finish(self, **fields: Any) -> None:
        self.walk.state.collected.pop(self.key, None)
        ended_at = self.walk.work.clock()
        self.walk.add(self.step, replace(self.record, due_at=None, ended_at=ended_at, **fields))

    def _collect(self, output: dict[str, Any]) -> None:
        rules = self.rules
        if not rules.keeps_all:
            return
        found = self._collected().found
        if rules.output is not None:
            nothing = (None, None)
            output["items"] = [found.get(index, nothing)[0] for index in range(self.done)]
        if rules.on_error == "collect":
            output["errors"] = [
                {"index": index, **error}
                for index, (_, error) in sorted(found.items(), key=lambda pair: pair[0])
                if error is not None
            ]

    def _collected(self) -> Collected:
        return self.walk.state.collected.setdefault(self.key, Collected(is_whole=False))

    def _close(self, path: str) -> None:
        """Record as cancelled what an item that failed or ended leaves open."""
        walk = self.walk
        closed = close_open_steps(walk.state, now=walk.work.clock(), inside=path)
        if closed:
            walk.state.fold(closed)
            keys = {(record.step_id, record.item) for record in closed}
            records = walk.done.records
            records[:] = [r for r in records if (r.step_id, r.item) not in keys]
            records += closed

    def _forget(self, path: str) -> datetime | None:
        """Drop what is known of an item's steps; return when the first of them began."""
        state = self.walk.state
        started = []
        keys: list[StepKey] = [(step.id, path) for step in self.loop.body]
        if any(step.loop for step in self.loop.body):
            keys += [key for key in state.latest if key[1] != path and _is_inside(key[1], path)]
        for key in keys:
            record = state.latest.pop(key, None)
            state.collected.pop(key, None)
            state.reserve.pop(key, None)
            if record is None or record.status == "SKIPPED":
                continue
            if record.kind != "loop":
                state.steps_inside += 1
                state.attempts_inside += record.attempt
            if record.started_at is not None:
                started.append(record.started_at)
        return min(started, default=None)

    def _named(self, path: str, error: Error) -> Error:
        step_id = error.get("step_id")
        message = str(error.get("message", "The item failed."))
        where = f", step {step_id}" if step_id and not message.startswith("Step ") else ""
        return {
            **error,
            "item": path,
            "message": f"Step {self.step.id}, item {path}{where}: {message}",
        }


def _is_inside(place: str | None, path: str) -> bool:
    return place is not None and (place == path or place.startswith(f"{path}."))
