"""Starts the workflow that is told of a failure: the failed workflow's own, or the project's.

Whoever writes a final failure calls this in the same transaction, so a handler run exists exactly
when the failure does. A handler run that fails, or a run that it called, starts nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol
from uuid import UUID

from django.conf import settings

from leadsend.lib import ids

FAILURES: Final = frozenset({"FAILED", "TIMED_OUT"})
TRIGGER: Final = "failure"
# What stands where a subscription's id would: it makes the id of a handler run its own.
HANDLER: Final = UUID("7d1f6a52-0c0e-5a8b-9b61-5f0a3c9f7e11")


class Executes(Protocol):
    """A connection or cursor in the transaction that writes the failure."""

    def execute(self, statement: Any, parameters: Any = ..., /) -> Any:
        """Run one statement."""


def start_for(connection: Executes, execution_ids: Sequence[UUID]) -> None:
    """Insert a PENDING run for each failed execution that has a handler; writes nothing else.

    Its event is ``{"execution": {"id", "url", "status", "business_key", "workflow": {"id", "name",
    "slug"}}, "error": {"code", "message", "step_id"}, "event": data of the failed run}``. Its id is
    computed from the failed one's. A handler without a live version is passed over.
    """
    failed = list(execution_ids)
    begun = [ids.execution_id(one, HANDLER) for one in failed]
    connection.execute(
        OF_EXECUTIONS, {"failed": failed, "begun": begun, "url": f"{settings.PUBLIC_URL}/runs/"}
    )


def statement(failures: str) -> str:
    """Return the INSERT for a query of failures.

    ``failures`` selects ``begun`` (the id of the new run), ``project_id``, ``named`` (slug or id of
    the workflow's own handler, or NULL), ``data`` (jsonb) and ``business_key``.
    """
    return _START.replace("{failures}", failures)


# The workflow's own handler goes before the project's.
_START: Final = """
INSERT INTO workflow_execution (id, project_id, workflow_id, version_id, trigger_key, trigger_type,
    context_data, business_key, timeout_s)
SELECT f.begun, f.project_id, handler.id, handler.live_version_id, 'failure', 'failure',
       f.data, f.business_key, handler.timeout_s
  FROM ({failures}) AS f
  JOIN project p ON p.id = f.project_id
  JOIN LATERAL (
    SELECT h.id, h.live_version_id,
           coalesce(least((v.document::jsonb #>> '{settings,timeout_s}')::numeric, 2147483647),
             3600)::int AS timeout_s
      FROM workflow_definition h JOIN workflow_version v ON v.id = h.live_version_id
     WHERE h.project_id = f.project_id AND h.is_active AND h.deleted_at IS NULL
       AND (h.id = p.failure_workflow_id OR f.named IN (h.slug, h.id::text))
     ORDER BY f.named IN (h.slug, h.id::text) IS TRUE DESC LIMIT 1
  ) AS handler ON true
ON CONFLICT (id) DO NOTHING
"""
OF_EXECUTIONS: Final = statement("""
SELECT given.begun, e.project_id, e.business_key,
       v.document::jsonb #>> '{settings,on_failure}' AS named,
       jsonb_build_object(
         'execution', jsonb_build_object(
           'id', e.id, 'url', %(url)s::text || e.id || '/', 'status', e.status,
           'business_key', e.business_key,
           'workflow', jsonb_build_object('id', w.id, 'name', w.name, 'slug', w.slug)),
         'error', e.error,
         'event', e.context_data) AS data
  FROM unnest(%(failed)s::uuid[], %(begun)s::uuid[]) AS given(id, begun)
  JOIN workflow_execution e ON e.id = given.id
  JOIN workflow_definition w ON w.id = e.workflow_id
  JOIN workflow_version v ON v.id = e.version_id
 WHERE e.id = ANY(%(failed)s::uuid[]) AND NOT EXISTS (
   WITH RECURSIVE above AS (
     SELECT e.trigger_type AS trigger_type, e.parent_execution AS parent_execution
     UNION ALL
     SELECT p.trigger_type, p.parent_execution
       FROM above JOIN workflow_execution p ON p.id = above.parent_execution
   )
   SELECT 1 FROM above WHERE trigger_type = 'failure')
""")
