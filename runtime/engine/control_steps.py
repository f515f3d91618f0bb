"""The steps that only steer: condition, switch, delay, end; each compiled to one function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from leadsend.lib.errors import PermanentError
from runtime.engine.calendar_delays import compile_calendar_delay, needs_calendar
from runtime.engine.fields import Scope, compile_field, compile_fields, named
from workflows.definition import durations
from workflows.definition.expressions.conditions import compile_condition

LONGEST_WAIT = timedelta(days=366)


class Outcome(NamedTuple):
    """What a steering step came to; with ``due_at`` it has to wait until then."""

    branch: str
    input: Any
    output: Any
    due_at: datetime | None = None


Steer = Callable[[Scope], Outcome]


def compile_condition_step(cfg: Mapping[str, Any], *, step_id: str) -> Steer:
    """Return a function that takes branch ``yes`` or ``no``.

    Output: ``{"result": bool, "reason": str}``, with ``"notes": [str]`` where there are any.
    """
    judge = named(lambda: compile_condition(cfg), step_id=step_id, field="condition")

    def steer(scope: Scope) -> Outcome:
        verdict = judge(scope)
        output: dict[str, Any] = {"result": verdict.value, "reason": verdict.reason}
        if verdict.notes:
            output["notes"] = list(verdict.notes)
        return Outcome("yes" if verdict.value else "no", None, output)

    return steer


def compile_switch_step(cfg: Mapping[str, Any], *, step_id: str) -> Steer:
    """Return a function that takes the first case that is true, or ``default``.

    Output: ``{"case": key, "reason": str}``.
    """
    cases = [
        (
            case["key"],
            named(
                lambda when=case["when"]: compile_condition(when),  # type: ignore[misc]
                step_id=step_id,
                field=f"cases/{at}",
            ),
        )
        for at, case in enumerate(cfg.get("cases", ()))
    ]

    def steer(scope: Scope) -> Outcome:
        for key, judge in cases:
            verdict = judge(scope)
            if verdict.value:
                return Outcome(key, None, {"case": key, "reason": verdict.reason})
        return Outcome("default", None, {"case": "default", "reason": "No case was true."})

    return steer


def compile_delay_step(cfg: Mapping[str, Any], *, step_id: str, zone: tzinfo = UTC) -> Steer:
    """Return a function that says until when to wait.

    ``cfg`` is ``{"for": {"value", "unit"}}``, ``{"until": text}``, or what ``calendar_delays``
    says; a moment without an offset is one in ``zone``. Output: ``{"until": ISO}``. The function
    raises PermanentError for what is no time, and for waits of more than a year.
    """
    if needs_calendar(cfg):
        due_at = compile_calendar_delay(cfg, step_id=step_id)
        return lambda scope: _wait(scope, cfg, due_at(scope))
    if "until" in cfg:
        until = compile_field(cfg["until"], step_id=step_id, field="until")
        return lambda scope: _wait(scope, cfg, _moment(until(scope), zone))
    span = compile_field(cfg.get("for", {}), step_id=step_id, field="for")
    return lambda scope: _wait(scope, cfg, scope["now"] + span_of(span(scope)))


def compile_end_step(cfg: Mapping[str, Any], *, step_id: str) -> Steer:
    """Return a function that takes ``success`` or ``failed``; no edge follows these.

    Input: ``{"status", "message", "output"}``; output: the run's output.
    """
    fields = compile_fields(cfg, step_id=step_id)

    def steer(scope: Scope) -> Outcome:
        filled = fields(scope)
        status = "failed" if filled.get("status") == "failed" else "success"
        return Outcome(status, filled, filled.get("output"))

    return steer


def _wait(scope: Scope, cfg: Mapping[str, Any], due_at: datetime) -> Outcome:
    if due_at - scope["now"] > LONGEST_WAIT:
        raise _too_long()
    return Outcome("default", dict(cfg), {"until": due_at.isoformat()}, due_at)


def span_of(value: Any) -> timedelta:
    """Return the length of a span; raises PermanentError for what is none, or beyond a year."""
    try:
        span = durations.span(_with_number(value))
    except ValueError as error:
        raise PermanentError(str(error), code="delay_unknown") from error
    # Before it is added to a moment, which may leave the calendar.
    if span > LONGEST_WAIT:
        raise _too_long()
    return span


def _too_long() -> PermanentError:
    return PermanentError("A delay lasts at most a year; make it shorter.", code="delay_too_long")


def _with_number(value: Any) -> Mapping[str, Any]:
    """Return the span with its value as a number, where a hole or a form made it text."""
    if not isinstance(value, Mapping):
        raise ValueError("A span of time is a number and a unit.")  # noqa: TRY004 - see _span
    number = value.get("value")
    return {**value, "value": float(number)} if isinstance(number, str) else value


def _moment(value: Any, zone: tzinfo) -> datetime:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise PermanentError(
            f"A delay waits until a date, not {str(value)[:40]!r}.", code="delay_unknown"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)
