"""What answers the steps that wait, when a workflow is played in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from leadsend.lib.errors import LeadSendError
from runtime.engine.outcomes import error_json
from runtime.engine.state import StepKey, StepRecord
from runtime.engine.waits import ANSWERED_KINDS, key_text
from workflows.definition.expressions.text import compile_value

_NOBODY: Final[Mapping[str, Any]] = {"answer": None, "comment": "", "fields": {}, "by": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """An answer that comes a while after its step began to wait."""

    after: timedelta
    answer: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event that comes while the run is on its way, so long ``after`` it began."""

    after: timedelta
    trigger_key: str
    event: Any
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """The answer of one waiting step, and when it comes."""

    at: datetime
    key: StepKey
    answer: Any


def next_answer(
    latest: Mapping[StepKey, StepRecord],
    answers: Mapping[str, Any],
    events: Sequence[tuple[datetime, Happening]],
) -> Coming | None:
    """Return the earliest answer that any waiting step gets, None when none is given."""
    found = [
        coming
        for key, record in latest.items()
        if record.status == "WAITING" and record.kind in ANSWERED_KINDS
        for coming in _answers_of(key, record, answers, events)
    ]
    return min(found, key=lambda coming: coming.at, default=None)


def output_of_write(step_id: str, kind: str) -> dict[str, Any]:
    """Return what the write before a wait pretends to have made."""
    made = f"{step_id}-made"
    return {"execution_id": made, "output": None} if kind == "workflow" else {"task_id": made}


def _answers_of(
    key: StepKey,
    record: StepRecord,
    answers: Mapping[str, Any],
    events: Sequence[tuple[datetime, Happening]],
) -> Iterator[Coming]:
    began = record.started_at
    if began is None:
        return
    if record.step_id in answers:
        given = answers[record.step_id]
        after = given.after if isinstance(given, Later) else timedelta()
        value = given.answer if isinstance(given, Later) else given
        value = value(record.input) if callable(value) else value
        yield Coming(at=began + after, key=key, answer=_as_answer(record, value))
        return
    for at, happening in events:
        if at >= began and _is_meant(record, happening, at):
            yield Coming(at=at, key=key, answer={"event": happening.event})
            return


def _as_answer(record: StepRecord, value: Any) -> Any:
    if record.kind == "workflow":
        if isinstance(value, LeadSendError):
            return {"status": "FAILED", "error": error_json(value)}
        return {**(record.output or {}), "status": "SUCCESS", "output": value}
    asked = (record.input or {}).get("for") if record.kind == "wait" else "answer"
    if asked != "answer":
        return {asked: value}
    said = value if isinstance(value, Mapping) else {"answer": value}
    return {**_NOBODY, **(record.output or {}), **said}


def _is_meant(record: StepRecord, happening: Happening, at: datetime) -> bool:
    asked: Mapping[str, Any] = record.input or {}
    if asked.get("for") != "event":
        return False
    if asked.get("topic") not in (happening.trigger_key, happening.source):
        return False
    if not asked.get("match"):
        return True
    scope = {"event": happening.event, "request": {}, "now": at}
    try:
        return key_text(compile_value(asked["match"])(scope)) == asked.get("key")
    except LeadSendError:
        return False
