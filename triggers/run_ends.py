"""Ends of runs as events, for workflows that start when another one ends.

Written in the transaction that ends the run, so the event exists exactly when the end does. While
no workflow listens, a commit asks once for those who do, which is a look into an empty index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from leadsend.lib import ids
from leadsend.lib.errors import InvalidInput, Problem
from leadsend.lib.payloads import MARK
from leadsend.lib.postgres import Connection, django_connection
from triggers.waking import NOTIFY
from workflows.models import Workflow

TRIGGER_KEY: Final = "workflow_ended"
# Workflows that start each other by their ends are stopped here, as those by a table are.
MAX_DEPTH: Final = 5
DEFAULT_OUTCOMES: Final = ("SUCCESS",)


def keep(workflow: Workflow, trigger_id: str, cfg: Mapping[str, Any]) -> str:
    """Return the source of the ends that a trigger waits for.

    ``cfg``: ``workflow`` (slug or id, of the same project). Raises InvalidInput when there is none,
    or when it is the workflow itself.
    """
    named = str(cfg.get("workflow", ""))
    others = Workflow.objects.filter(project_id=workflow.project_id).not_deleted()
    watched = next((one for one in others if named in (one.slug, str(one.pk))), None)
    if watched is None:
        raise _refused(
            f"There is no workflow “{named}” in this project: choose another.", trigger_id
        )
    if watched.pk == workflow.pk:
        raise _refused("A workflow cannot start by its own end: choose another.", trigger_id)
    return f"ended:{watched.pk}"


def is_wanted(cfg: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    """Say whether a trigger with this ``cfg`` (outcomes) asked for such an end."""
    return data["execution"]["status"] in (cfg.get("outcomes") or DEFAULT_OUTCOMES)


def tell(
    *, execution_ids: Sequence[UUID], connection: Connection | None = None, **_signal: Any
) -> None:
    """Write the events of ended runs; a receiver of ``execution_finished``, in its transaction."""
    raw = connection or django_connection()
    sources = [row[0] for row in raw.execute(_LISTENED, [TRIGGER_KEY]).fetchall()]
    if not sources:
        return
    values = {
        "ended": list(execution_ids),
        "events": [ids.uuid7() for _ in execution_ids],
        "sources": sources,
        "url": f"{settings.PUBLIC_URL}/runs/",
        "key": TRIGGER_KEY,
        "max_depth": MAX_DEPTH,
        "large": f"{MARK}%",
    }
    if raw.execute(_TELL, values).fetchone()[0]:  # type: ignore[index]  # a count is always there
        raw.execute(NOTIFY)


def _refused(message: str, trigger_id: str) -> InvalidInput:
    problem = Problem(code="workflow", message=message, path=f"/triggers/{trigger_id}/cfg/workflow")
    return InvalidInput(message, code="workflow", problems=[problem])


_LISTENED: Final = (
    "SELECT DISTINCT source FROM workflow_subscription WHERE trigger_key = %s AND is_active"
)
# A value in the object storage is told as null: the run's own page and address have it.
_TELL: Final = """
WITH ended AS (
  SELECT g.event_id, e.id, e.project_id, e.workflow_id, e.status, e.business_key, e.error,
         w.name, w.slug,
         CASE WHEN e.output::text NOT LIKE %(large)s THEN e.output END AS output,
         CASE WHEN e.context_data::text NOT LIKE %(large)s THEN e.context_data END AS context_data,
         CASE WHEN e.request_data ->> 'depth' ~ '^[0-9]{1,4}$'
              THEN (e.request_data ->> 'depth')::int ELSE 0 END + 1 AS depth
    FROM unnest(%(ended)s::uuid[], %(events)s::uuid[]) AS g(id, event_id)
    JOIN workflow_execution e ON e.id = g.id
    JOIN workflow_definition w ON w.id = e.workflow_id
   WHERE e.id = ANY(%(ended)s::uuid[]) AND 'ended:' || e.workflow_id = ANY(%(sources)s::text[])
), stored AS (
  INSERT INTO trigger_event (id, project_id, trigger_key, trigger_type, source, data, request, fate)
  SELECT event_id, project_id, %(key)s, 'workflow', 'ended:' || workflow_id,
         jsonb_build_object(
           'execution', jsonb_build_object(
             'id', id, 'url', %(url)s::text || id || '/', 'status', status,
             'business_key', business_key,
             'workflow', jsonb_build_object('id', workflow_id, 'name', name, 'slug', slug)),
           'output', output, 'error', error, 'event', context_data),
         jsonb_build_object('depth', depth),
         CASE WHEN depth > %(max_depth)s THEN jsonb_build_object(
           'code', 'loop', 'reason', 'Workflows start each other in a circle: stopped at depth '
           || %(max_depth)s::int || '.') END
    FROM ended
  RETURNING id, fate
), waiting AS (
  INSERT INTO trigger_inbox (id, event_id) SELECT id, id FROM stored WHERE fate IS NULL
)
SELECT count(*) FROM stored
"""
