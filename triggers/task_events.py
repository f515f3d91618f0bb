"""What happens to tasks as events: somebody did one, or its time is over."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection

from runtime.models import Task
from triggers import inbox
from triggers.events import NewEvent
from triggers.models import Subscription

DONE, OVERDUE = "task_done", "task_overdue"
_AT_ONCE: Final = 200


def source_of(trigger_key: str, project_id: UUID) -> str:
    """Return the source of a project's tasks for one of the two triggers."""
    return f"{trigger_key}:{project_id}"


def tell_done(*, task: Task, **_signal: Any) -> None:
    """Write the event of a task that was just done, in the same transaction, if anybody listens."""
    source = source_of(DONE, task.project_id)
    if not Subscription.objects.filter(source=source, is_active=True).exists():
        return
    about = {
        "id": str(task.pk),
        "title": task.title,
        "status": task.status,
        "priority": task.priority,
        "assignee": task.assignee.email if task.assignee else None,
        "team": task.team.key if task.team else None,
        "due_at": task.due_at.isoformat() if task.due_at else None,
        "business_key": task.business_key,
        "execution_id": str(task.execution_id) if task.execution_id else None,
        "step_id": task.step_id,
    }
    event = NewEvent(
        project_id=task.project_id,
        trigger_key=DONE,
        trigger_type="workflow",
        source=source,
        data={"task": about, "answer": task.answer},
    )
    inbox.accept([event])


async def tell_overdue(connection: AsyncConnection) -> int:
    """Mark open tasks whose time is over, once each; return how many became events.

    Without a listener a task is marked as well: who listens later hears of what is overdue then.
    Tasks that another process marks are passed over. Raises psycopg.Error.
    """
    values = {"limit": _AT_ONCE, "key": OVERDUE}
    cursor = await connection.execute(_OVERDUE, values)
    (count,) = await cursor.fetchone() or (0,)
    return int(count)


_OVERDUE: Final = """
WITH late AS (
  SELECT id FROM tasks
   WHERE status = 'PENDING' AND overdue_told_at IS NULL AND due_at <= now()
   ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), told AS (
  UPDATE tasks t SET overdue_told_at = now() FROM late WHERE t.id = late.id
  RETURNING t.*
), heard AS (
  SELECT t.*, u.email, g.key AS team_key, gen_random_uuid()::text AS random
    FROM told t
    LEFT JOIN access_user u ON u.id = t.assignee_id
    LEFT JOIN team g ON g.id = t.team_id
   WHERE EXISTS (SELECT FROM workflow_subscription s
                  WHERE s.source = %(key)s || ':' || t.project_id AND s.is_active)
), stored AS (
  INSERT INTO trigger_event (id, project_id, trigger_key, trigger_type, source, data)
  SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
          || right(replace(random, '-', ''), 19))::uuid,
         project_id, %(key)s, 'workflow', %(key)s || ':' || project_id,
         jsonb_build_object(
           'task', jsonb_build_object(
             'id', id, 'title', title, 'status', status, 'priority', priority, 'assignee', email,
             'team', team_key, 'due_at', due_at, 'business_key', business_key,
             'execution_id', execution_id, 'step_id', step_id),
           'answer', NULL)
    FROM heard
  RETURNING id
), waiting AS (
  INSERT INTO trigger_inbox (id, event_id) SELECT id, id FROM stored
)
SELECT count(*) FROM stored
"""
