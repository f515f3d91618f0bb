"""Keeps what a run answers to its webhook, and finds the answers that somebody waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from leadsend.lib.errors import PermanentError
from leadsend.lib.payloads import INLINE_LIMIT
from leadsend.lib.postgres import Connection
from runtime import payloads
from runtime.models import FINAL_EXECUTION, Execution, ExecutionStatus, WebhookAnswer
from runtime.storable import to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAnswer:
    """What a run said; ``body`` is text where ``is_text``, else JSON, None for nothing."""

    status: int
    body: Any = None
    is_text: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


def keep(
    connection: Connection, *, execution_id: UUID, project_id: UUID, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Keep the first answer of a run; return ``{"answered"}``, false where there was one before.

    ``given`` is ``{"status", "headers", "body", "is_text"}``. Raises PermanentError above 256 KiB.
    """
    body = to_json(given["body"])
    if body is not None and len(body) > INLINE_LIMIT:
        raise PermanentError(
            f"The answer is larger than {INLINE_LIMIT // 1024} KiB: send less, or an address to get it from."
        )
    row = [execution_id, project_id, given["status"], Jsonb(given["headers"]), body]
    made = connection.execute(_KEEP, [*row, given["is_text"]])
    return {"answered": bool(made.rowcount)}


def find(execution_ids: Sequence[UUID]) -> dict[UUID, RunAnswer]:
    """Return the answers of runs that gave one or ended without, by the run's id.

    A run that ended well without a word answers 200 with its output, any other 500.
    """
    # Ends are read first: what a run said before its end is then seen by the second statement.
    ended = Execution.objects.filter(pk__in=execution_ids, status__in=FINAL_EXECUTION)
    found = {run.pk: run for run in ended.only("status", "output", "project_id")}
    said = {
        row.pk: RunAnswer(
            status=row.status, body=row.body, is_text=row.is_text, headers=row.headers
        )
        for row in WebhookAnswer.objects.filter(pk__in=execution_ids)
    }
    return said | {pk: _of_end(run) for pk, run in found.items() if pk not in said}


def _of_end(run: Execution) -> RunAnswer:
    if run.status == ExecutionStatus.SUCCESS:
        output = payloads.whole(run.output, project_id=run.project_id)
        return RunAnswer(status=200, body={} if output is None else output)
    # Why is for those who may see the run.
    message = "The workflow that this started did not end well."
    return RunAnswer(status=500, body={"code": "run_failed", "message": message, "problems": []})


_KEEP: Final = """
INSERT INTO webhook_answer (execution_id, project_id, status, headers, body, is_text)
VALUES (%s, %s, %s, %s, %s::jsonb, %s) ON CONFLICT (execution_id) DO NOTHING
"""
