"""Starts the failure handler for what failed before any run began: an event, or a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from leadsend.lib import ids
from runtime.failure_handlers import HANDLER, statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What failed: an event that is kept, or something of a workflow itself.

    ``begun`` is the id that the handler run gets. The workflow is found by its subscription where
    only that is known; where neither is, the project's handler is told.
    """

    begun: UUID
    code: str
    message: str
    project_id: UUID | None = None
    event_id: UUID | None = None
    subscription_id: UUID | None = None
    workflow_id: UUID | None = None


def of_event(event_id: UUID, *, replay: int, **known: Any) -> Failure:
    """Return the failure of an event; the same event fails once for each time it is played."""
    return Failure(begun=ids.execution_id(event_id, HANDLER, replay), event_id=event_id, **known)


def start_handlers(failures: Sequence[Failure]) -> tuple[str, list[list[Any]]]:
    """Return the statement and its parameters; it belongs in the transaction that says why.

    The handler's event is ``{"execution": null, "error": {"code", "message", "step_id": null},
    "event": data, "trigger": {"event_id", "source", "workflow_id"}}``.
    """
    columns = zip(*(_row(failure) for failure in failures), strict=True)
    return _START, [list(column) for column in columns]


def _row(failure: Failure) -> tuple[Any, ...]:
    return (
        failure.begun,
        failure.code,
        failure.message,
        failure.project_id,
        failure.event_id,
        failure.subscription_id,
        failure.workflow_id,
    )


_START: Final = statement("""
SELECT given.begun, coalesce(given.project_id, e.project_id, w.project_id) AS project_id,
       '' AS business_key, v.document::jsonb #>> '{settings,on_failure}' AS named,
       jsonb_build_object(
         'execution', NULL,
         'error', jsonb_build_object(
           'code', given.code, 'message', given.message, 'step_id', NULL),
         'event', coalesce(e.data, '{}'::jsonb),
         'trigger', jsonb_build_object(
           'event_id', e.id, 'source', e.source, 'workflow_id', w.id)) AS data
  FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[])
    AS given(begun, code, message, project_id, event_id, subscription_id, workflow_id)
  LEFT JOIN trigger_event e ON e.id = given.event_id
  LEFT JOIN workflow_subscription s ON s.id = given.subscription_id
  LEFT JOIN workflow_definition w ON w.id = coalesce(given.workflow_id, s.workflow_id)
  LEFT JOIN workflow_version v ON v.id = w.live_version_id
""")
