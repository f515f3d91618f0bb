"""What people may ask of an execution: cancel, pause, resume, retry, decide about a step.

Each act locks the row for a moment, so that it is decided on what the engine recorded last. A
RUNNING execution belongs to the engine process that holds its lease: of that one, only wishes can
be written down (``cancel_requested_at``, ``pause_requested_at``). Acts can be asked for twice: the
second time finds it done and answers the same, without a second audit entry. ``is_audited=False``
leaves the entry to the caller, who acts on many and writes one for all.

Nothing is in flight of a RUNNING execution without ``pending``: its holder only computes in memory,
and can record nothing once the fence went up. So that one is taken away from it at once, whether
it lives or not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from leadsend.access import audit
from leadsend.access.models import User
from leadsend.lib.errors import Conflict, InvalidInput, NotFound, Problem
from runtime import live, queueing, turns
from runtime.deciding import Decision, decided_record, is_decided, write_record
from runtime.ending import database_now, end_execution
from runtime.keeping import Wish
from runtime.models import Execution, ExecutionStatus, ExecutionTimer, StepExecution, StepStatus
from runtime.retrying import Again, VersionChoice, begin_again, open_retry

_CANCELLED_BY_PERSON = {"code": "cancelled", "message": "The run was cancelled."}


def cancel(execution: Execution, *, user: User | None, is_audited: bool = True) -> Execution:
    """Cancel an execution and return it as it is now.

    Final at once while no step of it is in flight; otherwise as soon as that has answered, or when
    the process's lease runs out. Raises Conflict when it has ended in another way, NotFound when it
    is gone.
    """
    with transaction.atomic():
        locked = _lock(execution)
        if locked.status == ExecutionStatus.CANCELLED:
            return locked
        _refuse_final(locked, "cancelled")
        before = locked.status
        if before == ExecutionStatus.RUNNING and locked.cancel_requested_at is not None:
            return locked
        now = database_now()
        locked.cancel_requested_at = now
        if _is_in_flight(locked):
            locked.save(update_fields=["cancel_requested_at"])
        else:
            end_execution(locked, ExecutionStatus.CANCELLED, error=_CANCELLED_BY_PERSON, now=now)
        if is_audited:
            _record("execution.cancel", locked, user, {"was": before})
        _announce(locked)
    return locked


def pause(execution: Execution, *, user: User | None) -> Execution:
    """Stop an execution from going on, until somebody resumes it; return it as it is now.

    While steps of it are in flight it pauses when they have answered. Raises Conflict when it has
    ended or is being cancelled.
    """
    with transaction.atomic():
        locked = _lock(execution)
        _refuse_final(locked, "paused")
        before = locked.status
        if before == ExecutionStatus.PAUSED:
            return locked
        if before == ExecutionStatus.RUNNING and locked.pause_requested_at is not None:
            return locked
        _refuse_cancelling(locked, "paused")
        if _is_in_flight(locked):
            locked.pause_requested_at = database_now()
            locked.save(update_fields=["pause_requested_at"])
        else:
            _hold(locked)
            turns.step_aside(locked)
        _record("execution.pause", locked, user, {"was": before})
        _announce(locked)
    return locked


def resume(execution: Execution, *, user: User | None) -> Execution:
    """Let a paused execution go on; return it as it is now.

    What became due in the meantime runs at once; a delay that is not over yet goes on. Of one that
    goes on anyway nothing is changed. Raises Conflict when it has ended or is being cancelled.
    """
    with transaction.atomic():
        locked = _lock(execution)
        _refuse_final(locked, "resumed")
        if locked.status != ExecutionStatus.PAUSED and locked.pause_requested_at is None:
            return locked
        _refuse_cancelling(locked, "resumed")
        before = locked.status
        locked.pause_requested_at = None
        if before == ExecutionStatus.PAUSED:
            in_line = turns.stand_in_line(locked)
            locked.status = ExecutionStatus.WAITING if in_line else ExecutionStatus.PENDING
            locked.run_after = database_now()
            # Time spent paused is no time at work: the next claim sets the limit anew.
            locked.deadline_at = None
        locked.save(update_fields=["status", "pause_requested_at", "run_after", "deadline_at"])
        _record("execution.resume", locked, user, {"was": before})
        _announce(locked)
    return locked


def retry(
    execution: Execution,
    *,
    user: User | None,
    from_step: str | None = None,
    run_again: Collection[str] = (),
    version: VersionChoice = "original",
    event: Mapping[str, Any] | None = None,
    bulk_job: UUID | None = None,
    is_audited: bool = True,
) -> Execution:
    """Start a new execution that takes over what is done; return the new one.

    Without ``from_step`` it starts at what failed. Steps before that keep their results; effects
    that are done and come after it are kept too, but for those in ``run_again`` (``"*"``: all).
    ``event`` replaces the event's data. While the same retry is unfinished, that one is returned.
    Raises Conflict when the execution has not ended, another retry is under way or nothing is live,
    InvalidInput when there is no such step.
    """
    wish = Wish(
        from_step=from_step,
        run_again=frozenset(run_again),
        anew=execution.status == ExecutionStatus.SUCCESS or event is not None,
    )
    again = Again(wish=wish, version=version, event=event, by=_name_of(user), bulk_job=bulk_job)
    return _again(execution, again, user, is_audited=is_audited)


def replay(
    execution: Execution,
    *,
    user: User | None,
    run_again: Collection[str] = (),
    version: VersionChoice = "live",
    event: Mapping[str, Any] | None = None,
    bulk_job: UUID | None = None,
    is_audited: bool = True,
) -> Execution:
    """Start a new execution from the beginning, which keeps the effects that are done.

    Arguments, result and errors are those of ``retry``.
    """
    again = Again(
        kind="replay",
        wish=Wish(run_again=frozenset(run_again), anew=True),
        version=version,
        event=event,
        by=_name_of(user),
        bulk_job=bulk_job,
    )
    return _again(execution, again, user, is_audited=is_audited)


def _again(execution: Execution, again: Again, user: User | None, *, is_audited: bool) -> Execution:
    with transaction.atomic():
        locked = _lock(execution)
        if not locked.is_final:
            raise Conflict(
                "The run has not ended yet: cancel it first, or wait for its end.",
                code="not_finished",
            )
        already = open_retry(locked, again)
        if already is not None:
            return already
        begun = begin_again(locked, again)
        if is_audited:
            detail = {"new": str(begun.pk), **again.lineage()}
            _record(f"execution.{again.kind}", locked, user, detail)
        _announce(begun)
    return begun


def _name_of(user: User | None) -> str:
    return user.email if user else "system"


def decide_uncertain(
    step_row: StepExecution,
    decision: Decision,
    reason: str,
    user: User | None,
    *,
    output: Any = None,
) -> StepExecution:
    """Write down what a person found out about an UNCERTAIN step, and let its execution go on.

    ``done``: it happened, the run goes on behind it. ``run_again``: it did not; the next attempt
    is sent under a new key. ``failed``: it counts as failed. ``output`` is what the step came to,
    for the steps behind it, with ``done`` only. Returns the step's row as it is now. Raises Conflict
    when something else was decided, or while other steps of it are under way, InvalidInput without
    a reason.
    """
    _check_decision(decision, reason, output)
    with transaction.atomic():
        execution = _lock(Execution(pk=step_row.execution_id))
        row: StepExecution = StepExecution.objects.select_for_update().get(pk=step_row.pk)
        if is_decided(row, decision):
            return row
        _refuse_decision(execution, row)
        now = database_now()
        write_record(
            row, decided_record(execution, row, decision, reason=reason, output=output, now=now)
        )
        if execution.status == ExecutionStatus.WAITING:
            execution.status = ExecutionStatus.PENDING
            execution.run_after = now
            execution.save(update_fields=["status", "run_after"])
            ExecutionTimer.objects.filter(pk=execution.pk).delete()
        detail: dict[str, Any] = {
            "step_id": row.step_id,
            "attempt": row.attempt,
            "decision": decision,
            "reason": reason,
            "has_output": output is not None,
        }
        _record("step.decide", execution, user, detail)
        _announce(execution)
    return row


def _lock(execution: Execution) -> Execution:
    locked = (
        Execution.objects.select_for_update(of=("self",))
        .with_workflow()
        .filter(pk=execution.pk)
        .first()
    )
    if locked is None:
        raise NotFound(f"There is no run {execution.pk}.")
    found: Execution = locked
    return found


def _refuse_final(execution: Execution, wish: str) -> None:
    if execution.is_final:
        raise Conflict(
            f"The run has ended already ({execution.status}): it cannot be {wish}.",
            code="finished",
        )


def _refuse_cancelling(execution: Execution, wish: str) -> None:
    if execution.cancel_requested_at is not None:
        raise Conflict(
            f"The run is being cancelled: it cannot be {wish} any more.", code="cancelling"
        )


def _is_in_flight(execution: Execution) -> bool:
    """Say whether an effect may be under way, which only its process can bring to an end."""
    return execution.status == ExecutionStatus.RUNNING and bool(execution.pending)


def _hold(execution: Execution) -> None:
    """Pause a locked execution of which nothing is in flight, whoever holds it."""
    execution.status = ExecutionStatus.PAUSED
    execution.pause_requested_at = None
    execution.fence += 1
    execution.lease_until = execution.worker_id = None
    # It gets the rest of its time limit later; an effect that is repeated sees its first ``now``.
    execution.deadline_at = None
    execution.claimed_at = execution.claimed_at if execution.pending else None
    execution.save(update_fields=_HELD)
    ExecutionTimer.objects.filter(pk=execution.pk).delete()


_HELD: Final = (
    "status",
    "pause_requested_at",
    "fence",
    "lease_until",
    "worker_id",
    "claimed_at",
    "deadline_at",
)


def _check_decision(decision: Decision, reason: str, output: Any) -> None:
    problems = []
    if not reason.strip():
        said = "Say what you found out: the reason is kept with the run."
        problems.append(Problem(code="required", message=said, path="/reason"))
    if output is not None and decision != "done":
        said = "Only a step that happened can have come to something."
        problems.append(Problem(code="not_done", message=said, path="/output"))
    if problems:
        raise InvalidInput(problems[0].message, problems=problems)


def _refuse_decision(execution: Execution, row: StepExecution) -> None:
    if row.status != StepStatus.UNCERTAIN:
        raise Conflict(
            f"Step {row.step_id} does not wait for a decision any more: it is {row.status}.",
            code="decided",
        )
    if execution.status == ExecutionStatus.RUNNING:
        # The process that works on it would not see the decision.
        raise Conflict("Other steps of this run are under way: try again in a moment.", code="busy")


def _record(act: str, execution: Execution, user: User | None, detail: Mapping[str, Any]) -> None:
    audit.record(act, actor=user, project=execution.workflow.project, obj=execution, detail=detail)


def _announce(execution: Execution) -> None:
    live.publish([live.change_of(execution)])
    queueing.ring()
