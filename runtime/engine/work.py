"""Doing one step in memory: evaluating its settings, driving what touches nothing."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from leadsend.lib.errors import ConfigurationError, LeadSendError
from leadsend.lib.ids import idempotency_key
from registry.sdk.action import ActionContext, Apply
from runtime.engine.calendar_delays import CALENDARS
from runtime.engine.commands import ApplyWrite, CallEffect
from runtime.engine.outcomes import error_json
from runtime.engine.plan import Plan, PlanAction, PlanStep
from runtime.engine.pure_context import PureContext
from runtime.engine.same_inputs import plain, same_inputs
from runtime.engine.state import RunInfo, RunState, StepRecord
from runtime.engine.waits import PlanWait, answered, timed_out

Begun = StepRecord | CallEffect | ApplyWrite
_TRACEBACK_CHARS = 4_000
_SHORTEST_S = 0.05  # a last attempt that is due just before the step's limit still gets a moment


class Work:
    """The scope of expressions and the clocks, for one pass over one execution.

    ``now`` is what expressions see, the stored time of the claim; ``clock`` is read for the times
    at which steps start and end.
    """

    __slots__ = (
        "_began",
        "_latest",
        "_outputs",
        "_reserve",
        "clock",
        "item",
        "now",
        "run",
        "scope",
    )

    def __init__(
        self, plan: Plan, state: RunState, *, now: datetime, clock: Callable[[], datetime]
    ) -> None:
        run = state.run
        self.run = run
        self.now = now
        self.clock = clock
        self.item: str | None = None
        self._outputs: dict[str, Any] = {}
        self._reserve = state.reserve
        self._began = state.began
        self._latest = state.latest
        self.scope = _scope(plan, run, now, self._outputs)
        for record in state.latest.values():
            if record.item is None:
                self.learn(record)

    def inside(self, item: str, facts: Mapping[str, Any]) -> Work:
        """Return the same for one item of a loop: ``facts`` (``item``, ``index``) are roots there.

        Steps outside are seen as they are now; what is learnt inside is not seen outside.
        """
        inner = object.__new__(Work)
        inner.run, inner.now, inner.clock = self.run, self.now, self.clock
        inner._reserve, inner._began = self._reserve, self._began
        inner._latest = self._latest
        inner.item = item
        inner._outputs = dict(self._outputs)
        inner.scope = {**self.scope, **facts, "steps": inner._outputs}
        return inner

    def learn(self, record: StepRecord) -> None:
        """Let later steps read what a step came to."""
        if record.status == "SUCCESS":
            self._outputs[record.step_id] = {"output": record.output}
        elif record.error is not None:
            self._outputs[record.step_id] = {"output": record.output, "error": record.error}

    def begin(self, step: PlanStep, *, attempt: int = 1, again: int = 0) -> Begun:
        """Do a step, or say what has to be called or written for it.

        Never raises: whatever goes wrong inside the step becomes a FAILED record without a retry,
        for a pure step would fail the same way again.
        """
        if self._reserve and attempt == 1 and (step.id, self.item) in self._reserve:
            return replace(self._reserve[step.id, self.item], status="SUCCESS")
        started_at = self.clock()
        inputs: Any = None
        try:
            if step.steer is not None:
                return self._steer(step, started_at)
            if step.wait is not None:
                return self._ask(step, step.wait, attempt, again, started_at)
            call = cast(PlanAction, step.call)
            inputs = self._inputs(step, call, attempt)
            if call.is_effect:
                return self._effect(step, call, inputs, attempt, again)
            return self._drive(step, call, inputs, attempt, again, started_at)
        except LeadSendError as error:
            failure: Mapping[str, Any] = error_json(error)
        except Exception as error:  # noqa: BLE001 - the edge of a step
            failure = _unexpected(error)
        return self._failed(step, attempt, again, started_at, inputs, failure)

    def _inputs(self, step: PlanStep, call: PlanAction, attempt: int) -> dict[str, Any]:
        """Fill the settings in; an effect that is tried again sends what was sent before."""
        if not call.is_effect:
            return call.inputs(self.scope)
        before = self._latest.get((step.id, self.item)) if attempt > 1 else None
        if before is None or not isinstance(before.input, Mapping):
            return plain(call.inputs(self.scope))
        return same_inputs(
            before.input, lambda: call.inputs(self.scope), secrets=self.run.variables.values()
        )

    def skip(self, step: PlanStep) -> StepRecord:
        """Return the record of a step to which no branch led.

        What it came to before is remembered, for yet another try.
        """
        if self._reserve and (step.id, self.item) in self._reserve:
            return replace(self._reserve[step.id, self.item], status="SKIPPED")
        return StepRecord(
            step_id=step.id,
            kind=step.kind,
            action_key=step.action_key,
            status="SKIPPED",
            item=self.item,
            ended_at=self.clock(),
        )

    def wake(self, record: StepRecord) -> StepRecord:
        """Return the record of a delay whose moment has come, in the same attempt."""
        return replace(
            record, status="SUCCESS", branch="default", due_at=None, ended_at=self.clock()
        )

    def give_up(self, step: PlanStep, wait: PlanWait, record: StepRecord) -> StepRecord:
        """Return the record of a step that was not answered in time, in the same attempt."""
        return _softly(step, timed_out(step.id, record, wait, now=self.clock()))

    def end_wait(self, step: PlanStep, record: StepRecord, given: Any) -> StepRecord:
        """Return the record of a step that was answered, in the same attempt."""
        return _softly(step, answered(step.id, record, given, now=self.clock()))

    def _steer(self, step: PlanStep, started_at: datetime) -> StepRecord:
        branch, inputs, output, due_at = step.steer(self.scope)  # type: ignore[misc]
        waits = due_at is not None and due_at > self.now
        return StepRecord(
            step_id=step.id,
            kind=step.kind,
            status="WAITING" if waits else "SUCCESS",
            item=self.item,
            branch="" if waits else branch,
            input=inputs,
            output=output,
            started_at=started_at,
            ended_at=None if waits else self.clock(),
            due_at=due_at if waits else None,
        )

    def _ask(
        self, step: PlanStep, wait: PlanWait, attempt: int, again: int, started_at: datetime
    ) -> StepRecord | ApplyWrite:
        inputs, due_at = wait.inputs(self.scope), wait.due_at(self.scope)
        if wait.act:
            if due_at is not None and step.kind == "approval":
                inputs["due_at"] = due_at.isoformat()
            return ApplyWrite(
                step_id=step.id,
                attempt=attempt,
                action_key="",
                inputs=inputs,
                apply=Apply(act=wait.act, arguments=inputs),
                item=self.item,
                idempotency_key=idempotency_key(self.run.execution_id, step.id, self.item, again),
                waits=wait.waits,
                due_at=due_at,
            )
        return StepRecord(
            step_id=step.id,
            kind=step.kind,
            status="WAITING",
            item=self.item,
            attempt=attempt,
            again=again,
            input=inputs,
            started_at=started_at,
            due_at=due_at,
        )

    def _effect(
        self, step: PlanStep, call: PlanAction, inputs: dict[str, Any], attempt: int, again: int
    ) -> CallEffect:
        return CallEffect(
            step_id=step.id,
            attempt=attempt,
            action_key=step.action_key,
            inputs=inputs,
            delivery=call.action.delivery,
            idempotency_key=idempotency_key(self.run.execution_id, step.id, self.item, again),
            timeout_s=self._time_left_s(step, call),
            item=self.item,
        )

    def _time_left_s(self, step: PlanStep, call: PlanAction) -> float:
        """Return the longest that this attempt may take: never beyond the limit over all of them."""
        if call.retry.within_s is None:
            return call.timeout_s
        now = self.clock()
        spent_s = (now - self._began.get((step.id, self.item), now)).total_seconds()
        return min(call.timeout_s, max(call.retry.within_s - spent_s, _SHORTEST_S))

    def _drive(
        self,
        step: PlanStep,
        call: PlanAction,
        inputs: dict[str, Any],
        attempt: int,
        again: int,
        started_at: datetime,
    ) -> StepRecord | ApplyWrite:
        context = PureContext(
            run=self.run,
            step_id=step.id,
            attempt=attempt,
            now=self.now,
            item=self.item,
            again=again,
        )
        result = _run_to_end(step, call, context, inputs)
        if not call.action.pure:
            return _write(step, inputs, result, context, self.item)
        return StepRecord(
            step_id=step.id,
            kind=step.kind,
            action_key=step.action_key,
            status="SUCCESS",
            item=self.item,
            attempt=attempt,
            again=again,
            branch="default",
            input=inputs,
            output=result,
            started_at=started_at,
            ended_at=self.clock(),
        )

    def _failed(
        self,
        step: PlanStep,
        attempt: int,
        again: int,
        started_at: datetime,
        inputs: Any,
        failure: Mapping[str, Any],
    ) -> StepRecord:
        return StepRecord(
            step_id=step.id,
            kind=step.kind,
            action_key=step.action_key,
            status="FAILED",
            item=self.item,
            attempt=attempt,
            again=again,
            branch="error" if step.has_error_branch else "",
            input=inputs,
            error=failure,
            started_at=started_at,
            ended_at=self.clock(),
        )


def _softly(step: PlanStep, record: StepRecord) -> StepRecord:
    """Let a failure go out on the branch for it, where there is one."""
    if record.status == "FAILED" and step.has_error_branch:
        return replace(record, branch="error")
    return record


# Writing an id as text costs a microsecond, and a batch has many runs of few workflows.
_text = lru_cache(maxsize=1024)(str)


def _scope(plan: Plan, run: RunInfo, now: datetime, outputs: dict[str, Any]) -> dict[str, Any]:
    return {
        "event": run.event,
        "request": run.request,
        "steps": outputs,
        "vars": {**plan.variables, **run.variables},
        "run": {
            "id": str(run.execution_id),
            "url": run.run_url,
            "started_at": run.started_at,
        },
        "now": now,
        "workflow": {"id": _text(run.workflow_id), "name": run.workflow_name},
        CALENDARS: run.calendars,
    }


def _run_to_end(
    step: PlanStep, call: PlanAction, context: PureContext, inputs: Mapping[str, Any]
) -> Any:
    coroutine = call.action.run(cast(ActionContext, context), inputs).__await__()
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise ConfigurationError(
        f"Step {step.id}: the action {step.action_key} waits for something, which pure and "
        "transactional actions may not. Give it another delivery class.",
        code="action_suspended",
    )


def _write(
    step: PlanStep, inputs: dict[str, Any], result: Any, context: PureContext, item: str | None
) -> ApplyWrite:
    if not isinstance(result, Apply):
        raise ConfigurationError(
            f"Step {step.id}: the transactional action {step.action_key} must return an Apply.",
            code="apply_expected",
        )
    return ApplyWrite(
        step_id=step.id,
        attempt=context.attempt,
        action_key=step.action_key,
        inputs=inputs,
        apply=result,
        item=item,
        idempotency_key=context.idempotency_key,
    )


def _unexpected(error: Exception) -> dict[str, Any]:
    return {
        "code": "unexpected",
        "message": f"The step failed in a way its author did not foresee: {error!r}"[:500],
        "traceback": "".join(traceback.format_exception(error))[-_TRACEBACK_CHARS:],
    }
