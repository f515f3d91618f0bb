"""OpenTelemetry: a trace for each ended execution, a span for each attempt of its steps.

Switched on by ``LEADSEND_TRACES=on`` with the extra ``leadsend[otel]``; where it is off, nothing of
this is loaded. Spans are made of the rows, after the commit, in a thread of their own, and their
ids are made of the rows' ids: telling twice tells the same. What does not fit is left out; the rows
stay the history. No data of a run is told, and no business key.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError
from django.db import connection
from django.utils.module_loading import import_string

from runtime.engine.transitions import EXECUTION_FINAL
from runtime.models import Execution, StepExecution
from runtime.recording import Recorded

log = logging.getLogger(__name__)

MOST_WAITING: Final = 10_000
_SDK: Final = "opentelemetry.sdk.trace"
_API: Final = "opentelemetry.trace"
_OTLP: Final = "opentelemetry.exporter.otlp.proto.http.trace_exporter.OTLPSpanExporter"
_HALF: Final = (1 << 64) - 1
_BAD: Final = ("FAILED", "TIMED_OUT")

Tell = Callable[[Sequence[Recorded]], None]


def tellers() -> list[Tell]:
    """Return what an engine tells after each commit: nothing unless traces are switched on.

    Raises ImproperlyConfigured when they are and the packages are missing.
    """
    if not settings.LEADSEND_TRACES:
        return []
    try:
        exporter = import_string(_OTLP)()
        processor = import_string(f"{_SDK}.export.BatchSpanProcessor")(exporter)
    except ImportError as error:
        raise ImproperlyConfigured(
            "LEADSEND_TRACES is on, and OpenTelemetry is not installed: install leadsend[otel], or "
            "switch it off."
        ) from error
    return [Narrator(processor).tell]


class Narrator:
    """Hands the spans of ended executions to a span processor, from a daemon thread."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._waiting: queue.Queue[UUID] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None

    def tell(self, said: Sequence[Recorded]) -> None:
        """Note which executions ended; never blocks."""
        for one in said:
            if one.status in EXECUTION_FINAL:
                try:
                    self._waiting.put_nowait(one.execution_id)
                except queue.Full:
                    log.warning("traces left out", extra={"execution": str(one.execution_id)})
                    break
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
            self._thread.start()

    def narrate(self, execution_id: UUID) -> None:
        """Hand over the spans of one execution; queries twice."""
        execution = Execution.objects.filter(pk=execution_id).first()
        if execution is None:
            return
        rows = StepExecution.objects.of_execution(execution_id).defer("input_data", "result_data")
        for span in spans_of(execution, rows.order_by("started_at", "step_id", "attempt")):
            self._processor.on_end(span)

    def _run(self) -> None:
        while True:
            execution_id = self._waiting.get()
            try:
                self.narrate(execution_id)
            except DatabaseError as error:
                log.warning("trace not told", extra={"error": str(error)[:200]})
            except Exception:
                # The edge of a thread: what others' code does here must not end it.
                log.exception("trace not told")
            if self._waiting.empty():
                connection.close()


def spans_of(execution: Execution, rows: Iterable[StepExecution]) -> Iterator[Any]:
    """Yield the span of an execution and those of its steps that began."""
    root = _place(execution.pk, execution.pk)
    yield _span(
        name="execution",
        place=root,
        began=execution.created_at,
        ended=execution.ended_at,
        error=execution.error if execution.status in _BAD else None,
        attributes={
            "leadsend.execution": str(execution.pk),
            "leadsend.workflow": str(execution.workflow_id),
            "leadsend.version": str(execution.version_id),
            "leadsend.project": str(execution.project_id),
            "leadsend.trigger": execution.trigger_key,
            "leadsend.status": execution.status,
        },
    )
    for row in rows:
        if row.started_at is not None and row.status != "SKIPPED":
            yield _span(
                name=row.action_key or row.kind,
                place=_place(execution.pk, row.pk),
                parent=root,
                began=row.started_at,
                ended=row.ended_at,
                error=row.error if row.status in _BAD else None,
                attributes=_of_step(row),
            )


def _of_step(row: StepExecution) -> dict[str, Any]:
    found = {
        "leadsend.step": row.step_id,
        "leadsend.kind": row.kind,
        "leadsend.attempt": row.attempt,
        "leadsend.status": row.status,
        "leadsend.branch": row.branch,
        "leadsend.item": row.item,
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def _place(trace: UUID, span: UUID) -> Any:
    # Both are unique in their random half, which is never all noughts.
    flags = import_string(f"{_API}.TraceFlags")(1)
    return import_string(f"{_API}.SpanContext")(
        trace_id=trace.int, span_id=span.int & _HALF, is_remote=False, trace_flags=flags
    )


def _span(
    *,
    name: str,
    place: Any,
    began: datetime,
    ended: datetime | None,
    error: Any,
    attributes: dict[str, Any],
    parent: Any = None,
) -> Any:
    code = import_string(f"{_API}.StatusCode")
    status = import_string(f"{_API}.Status")
    told = status(code.ERROR, str(error.get("message", ""))) if error else status(code.OK)
    if error:
        attributes["error.type"] = str(error.get("code", ""))
    return import_string(f"{_SDK}.ReadableSpan")(
        name=name,
        context=place,
        parent=parent,
        resource=import_string("opentelemetry.sdk.resources.Resource").create(
            {"service.name": "leadsend"}
        ),
        attributes=attributes,
        status=told,
        start_time=_nanoseconds(began),
        end_time=_nanoseconds(ended or began),
    )


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000
