"""The steps that wait for somebody or something: wait, approval, workflow; and what answers do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from leadsend.lib.errors import PermanentError
from runtime.engine.fields import Scope, compile_field, compile_fields
from runtime.engine.state import StepRecord
from workflows.definition import durations

# Kinds whose WAITING record is ended by an answer, not by time alone.
ANSWERED_KINDS: Final = frozenset({"wait", "approval", "workflow"})
CREATE_APPROVAL: Final = "approval.create"
START_WORKFLOW: Final = "execution.start"
DEFAULT_ANSWERS: Final = (
    {"key": "approved", "title": "Approve"},
    {"key": "rejected", "title": "Reject"},
)
_LONGEST: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWait:
    """How a step waits.

    ``inputs`` says what for; with ``act`` this is handed to a write of our own, inside the
    recording commit, before the step waits. ``due_at`` says until when, None for ever. A step that
    ``waits`` not is done when its write is.
    """

    inputs: Callable[[Scope], dict[str, Any]]
    due_at: Callable[[Scope], datetime | None]
    act: str = ""
    waits: bool = True
    has_timeout_branch: bool = False


def compile_wait(
    step: Mapping[str, Any], kind: str, *, has_timeout_branch: bool = False
) -> PlanWait | None:
    """Return how a step of this kind waits; None for the kinds that don't."""
    build = _BUILDERS.get(kind)
    if build is None:
        return None
    found = build(step.get("cfg") or {}, step_id=step["id"])
    timeout = _timeout_of(step, kind)
    return replace(
        found,
        due_at=_compile_due(timeout, step_id=step["id"]),
        has_timeout_branch=has_timeout_branch,
    )


def answered(step_id: str, record: StepRecord, given: Any, *, now: datetime) -> StepRecord:
    """Return the record of a waiting step that was answered, in the same attempt.

    ``given`` is of a wait ``{"event" | "reply" | "answer": JSON, …}``; of an approval
    ``{"answer", "comment", "fields", "by", "task_id"}``; of a workflow ``{"execution_id",
    "status", "output", "error"}``. ``{"cancelled": true, "reason"}`` is a task that was cancelled.
    """
    answer: Mapping[str, Any] = given if isinstance(given, Mapping) else {"answer": given}
    if answer.get("cancelled"):
        return _failed(record, _cancelled(step_id, answer), now)
    if record.kind == "workflow" and answer.get("status") != "SUCCESS":
        return _failed(record, _child_error(step_id, answer), now)
    output: Any = dict(answer)
    branch = "default"
    if record.kind == "approval":
        branch = str(answer.get("answer") or "default")
    elif record.kind == "workflow":
        output = {"execution_id": answer.get("execution_id"), "output": answer.get("output")}
    return replace(
        record, status="SUCCESS", branch=branch, output=output, due_at=None, ended_at=now
    )


def timed_out(step_id: str, record: StepRecord, wait: PlanWait, *, now: datetime) -> StepRecord:
    """Return the record of a waiting step that nobody answered in time, in the same attempt.

    Without a ``timeout`` branch it failed: whoever drew no such way expects an answer.
    """
    if wait.has_timeout_branch:
        output = {**_NO_ANSWER[record.kind], **(record.output or {}), "timed_out": True}
        return replace(
            record, status="SUCCESS", branch="timeout", output=output, due_at=None, ended_at=now
        )
    what = _MISSED[record.kind]
    advice = "" if record.kind == "workflow" else ' Link its branch "timeout" to go on without.'
    error = {
        "code": "timeout",
        "message": f"Step {step_id}: {what} before its time limit.{advice}",
    }
    return _failed(record, error, now)


def _failed(record: StepRecord, error: Mapping[str, Any], now: datetime) -> StepRecord:
    return replace(record, status="FAILED", error=error, due_at=None, ended_at=now)


def _cancelled(step_id: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    reason = f" {answer['reason']}" if answer.get("reason") else ""
    return {
        "code": "task_cancelled",
        "message": f"Step {step_id}: the task it waited for was cancelled.{reason}",
    }


def _child_error(step_id: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    error = answer.get("error") or {}
    status = str(answer.get("status", "FAILED"))
    said = error.get("message") or f"It ended as {status}."
    return {
        "code": error.get("code") or status.lower(),
        "message": f"Step {step_id}: the workflow it called did not succeed: {said}"[:2000],
        "execution_id": answer.get("execution_id"),
    }


def _compile_event(cfg: Mapping[str, Any], *, step_id: str) -> PlanWait:
    key = compile_field(cfg.get("key", ""), step_id=step_id, field="key")
    # Looked up in each event that comes, so not filled in here.
    match = str(cfg.get("match") or cfg.get("key") or "")
    topic = str(cfg.get("source") or cfg.get("trigger_key") or "")

    def inputs(scope: Scope) -> dict[str, Any]:
        wanted = key_text(key(scope))
        if match and not wanted:
            raise PermanentError(
                f"Step {step_id}: the key to know the event by is empty, so none could be known.",
                code="nothing_to_wait_for",
            )
        return {"for": "event", "topic": topic, "match": match, "key": wanted}

    return PlanWait(inputs=inputs, due_at=_never)


def _compile_reply(cfg: Mapping[str, Any], *, step_id: str) -> PlanWait:
    given = cfg.get("key") or f"{{{{ steps.{cfg.get('step')}.output.message_id }}}}"
    key = compile_field(given, step_id=step_id, field="key" if cfg.get("key") else "step")
    return PlanWait(
        inputs=lambda scope: {"for": "reply", "key": _known(key(scope), "mail")}, due_at=_never
    )


def _compile_answer(cfg: Mapping[str, Any], *, step_id: str) -> PlanWait:
    given = cfg.get("key") or f"{{{{ steps.{cfg.get('step')}.output.task_id }}}}"
    key = compile_field(given, step_id=step_id, field="key" if cfg.get("key") else "step")
    return PlanWait(
        inputs=lambda scope: {"for": "answer", "key": _known(key(scope), "task")}, due_at=_never
    )


def _compile_plain_wait(cfg: Mapping[str, Any], *, step_id: str) -> PlanWait:
    build = {"reply": _compile_reply, "answer": _compile_answer}.get(
        str(cfg.get("for")), _compile_event
    )
    return build(cfg, step_id=step_id)


def _compile_approval(cfg: Mapping[str, Any], *, step_id: str) -> PlanWait:
    asked = {key: value for key, value in cfg.items() if key not in ("timeout", "remind_after")}
    asked.setdefault("answers", list(DEFAULT_ANSWERS))
    return PlanWait(
        inputs=compile_fields(asked, step_id=step_id), due_at=_never, act=CREATE_APPROVAL
    )


def _compile_workflow(cfg: Mapping[str, Any], *, step_id: str) -> PlanWait:
    asked = {key: value for key, value in cfg.items() if key in ("workflow", "input")}
    waits = cfg.get("mode", "wait") != "forget"
    fields = compile_fields(asked, step_id=step_id)

    def inputs(scope: Scope) -> dict[str, Any]:
        return {"input": {}, **fields(scope), "mode": "wait" if waits else "forget"}

    return PlanWait(inputs=inputs, due_at=_never, act=START_WORKFLOW, waits=waits)


_BUILDERS: Final[Mapping[str, Callable[..., PlanWait]]] = {
    "wait": _compile_plain_wait,
    "approval": _compile_approval,
    "workflow": _compile_workflow,
}
_NO_ANSWER: Final[Mapping[str, Mapping[str, Any]]] = {
    "wait": {},
    "approval": {"answer": None, "comment": "", "fields": {}, "by": None},
    "workflow": {},
}
_MISSED: Final[Mapping[str, str]] = {
    "wait": "nothing came",
    "approval": "nobody answered",
    "workflow": "the workflow it called did not end",
}


def key_text(value: Any) -> str:
    """Return a correlation key as it is compared: 7, 7.0 and "7" are the same, case counts."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def _known(value: Any, what: str) -> str:
    if not value:
        raise PermanentError(
            f"The step it names has made no {what}, so there is nothing to wait for.",
            code="nothing_to_wait_for",
        )
    return str(value)


def _timeout_of(step: Mapping[str, Any], kind: str) -> Any:
    if kind == "workflow":
        seconds = step.get("timeout_s")
        return {"value": seconds, "unit": "seconds"} if seconds else None
    return (step.get("cfg") or {}).get("timeout")


def _compile_due(timeout: Any, *, step_id: str) -> Callable[[Scope], datetime | None]:
    if timeout is None:
        return _never
    is_moment = isinstance(timeout, Mapping) and "until" in timeout
    given = timeout["until"] if is_moment else timeout
    value = compile_field(given, step_id=step_id, field="timeout")

    def due_at(scope: Scope) -> datetime:
        now: datetime = scope["now"]
        found = _moment(value(scope)) if is_moment else now + _span(value(scope))
        if found - now > _LONGEST:
            raise _too_long()
        return found

    return due_at


def _never(scope: Scope) -> datetime | None:
    return None


def _span(value: Any) -> timedelta:
    try:
        number = value.get("value")
        given = {**value, "value": float(number)} if isinstance(number, str) else value
        span = durations.span(given)
    except (AttributeError, ValueError) as error:
        raise PermanentError(
            "A time limit is a number and a unit, like 2 days.", code="delay_unknown"
        ) from error
    # Before it is added to a moment, which may leave the calendar.
    if span > _LONGEST:
        raise _too_long()
    return span


def _moment(value: Any) -> datetime:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise PermanentError(
            f"A time limit is a date, not {str(value)[:40]!r}.", code="delay_unknown"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _too_long() -> PermanentError:
    return PermanentError("A wait lasts at most a year; make it shorter.", code="delay_too_long")
