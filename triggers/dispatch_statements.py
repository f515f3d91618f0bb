"""The SQL of dispatch."""

from __future__ import annotations

TAKE = """
DELETE FROM trigger_inbox WHERE id IN (
  SELECT id FROM trigger_inbox ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id, event_id, subscription_id, workflow_id, replay, received_at
"""
# Lanes in turn: each gives its share, then what room is left is filled in the order of lanes. From
# lane to lane it is one step through the index, however many rows a lane has (triggers/lanes.py).
TAKE_FAIRLY = """
WITH RECURSIVE step AS (
  (SELECT id, 1 AS number FROM trigger_inbox WHERE id >= %(first)s ORDER BY id LIMIT 1)
  UNION ALL
  SELECT next.id, step.number + 1 FROM step CROSS JOIN LATERAL (
    SELECT i.id FROM trigger_inbox i
     WHERE i.id >= (lpad(to_hex(('x' || left(step.id::text, 4))::bit(16)::int + 1), 4, '0')
                    || '0000-0000-0000-0000-000000000000')::uuid
     ORDER BY i.id LIMIT 1) AS next
   WHERE step.number < %(limit)s
), lane AS MATERIALIZED (
  SELECT id AS low, greatest(%(limit)s / count(*) OVER (), 1) AS share,
         (lpad(to_hex(('x' || left(id::text, 4))::bit(16)::int + 1), 4, '0')
          || '0000-0000-0000-0000-000000000000')::uuid AS high
    FROM step
), mine AS (
  SELECT id FROM (
    SELECT a.id FROM lane CROSS JOIN LATERAL (
      SELECT id FROM trigger_inbox WHERE id >= lane.low AND id < lane.high
       ORDER BY id LIMIT lane.share FOR UPDATE SKIP LOCKED) AS a
    UNION ALL
    SELECT b.id FROM lane CROSS JOIN LATERAL (
      SELECT id FROM trigger_inbox WHERE id >= lane.low AND id < lane.high
       ORDER BY id LIMIT %(limit)s OFFSET lane.share FOR UPDATE SKIP LOCKED) AS b
  ) AS found LIMIT %(limit)s
)
DELETE FROM trigger_inbox WHERE id IN (SELECT id FROM mine)
RETURNING id, event_id, subscription_id, workflow_id, replay, received_at
"""
TAKE_ONE = """
DELETE FROM trigger_inbox WHERE id = (
  SELECT id FROM trigger_inbox WHERE id = %s FOR UPDATE SKIP LOCKED)
RETURNING id, event_id, subscription_id, workflow_id, replay, received_at
"""
NEXT = "SELECT id, event_id FROM trigger_inbox ORDER BY id LIMIT %s"
# Data stays text: most events need no look into it. The last column is worked out once a batch: does
# any run wait for an event at all?
EVENTS = """
SELECT id, project_id, source, data::text, request::text, trigger_key, trigger_type,
       (SELECT EXISTS (SELECT FROM execution_wait WHERE kind = 'event' AND answered_at IS NULL))
  FROM trigger_event WHERE id = ANY(%s)
"""
# Subscriptions that do not listen are read as well, so that the event can be told why nothing
# happened. Columns in the order of dispatch.Target.
CANDIDATES = """
SELECT s.id, s.project_id, s.source, s.workflow_id, s.filter_conditions::text, s.cfg::text, s.is_active,
       s.paused_at IS NOT NULL,
       CASE WHEN w.is_active AND w.deleted_at IS NULL THEN w.live_version_id END,
       least((d.settings ->> 'timeout_s')::numeric, 2147483647)::int,
       d.settings ->> 'business_key', s.trigger_key,
       CASE WHEN d.settings ?| ARRAY['concurrency', 'debounce', 'priority'] THEN d.settings::text END
  FROM workflow_subscription s
  JOIN workflow_definition w ON w.id = s.workflow_id
  LEFT JOIN workflow_version v ON v.id = w.live_version_id
  LEFT JOIN LATERAL (SELECT v.document::jsonb -> 'settings' AS settings OFFSET 0) AS d ON true
 WHERE s.source = ANY(%s)
 ORDER BY s.id
"""
WORKFLOWS = """
SELECT NULL::uuid, w.project_id, '', w.id, '{}', '{}', true, false,
       CASE WHEN w.is_active AND w.deleted_at IS NULL THEN w.live_version_id END,
       least((d.settings ->> 'timeout_s')::numeric, 2147483647)::int,
       d.settings ->> 'business_key', NULL::text,
       CASE WHEN d.settings ?| ARRAY['concurrency', 'debounce', 'priority'] THEN d.settings::text END
  FROM workflow_definition w
  LEFT JOIN workflow_version v ON v.id = w.live_version_id
  LEFT JOIN LATERAL (SELECT v.document::jsonb -> 'settings' AS settings OFFSET 0) AS d ON true
 WHERE w.id = ANY(%s)
"""
# A replay keeps its event's project and data; its own moment is when it was asked for.
START = """
INSERT INTO workflow_execution (id, project_id, workflow_id, version_id, subscription_id,
    trigger_event_id, trigger_key, trigger_type, context_data, request_data, business_key,
    replay, timeout_s, created_at, status, priority, concurrency_key)
SELECT x.id, e.project_id, x.workflow_id, x.version_id, x.subscription_id,
       e.id, coalesce(s.trigger_key, e.trigger_key), e.trigger_type, coalesce(e.data, '{}'::jsonb), e.request,
       x.business_key, x.replay, x.timeout_s, x.created_at, x.status, x.priority, x.concurrency_key
  FROM unnest(%b::uuid[], %b::uuid[], %b::uuid[], %b::uuid[], %b::uuid[], %b::text[],
              %b::int[], %b::int[], %b::timestamptz[], %b::text[], %b::smallint[], %b::text[])
    AS x(id, event_id, workflow_id, version_id, subscription_id, business_key,
         replay, timeout_s, created_at, status, priority, concurrency_key)
  JOIN trigger_event e ON e.id = x.event_id
  LEFT JOIN workflow_subscription s ON s.id = x.subscription_id
 WHERE e.id = ANY(%s)
ON CONFLICT (id) DO NOTHING
"""
# A replay that starts nothing takes nothing back: what started before stays told as started.
TELL_FATE = """
UPDATE trigger_event e SET fate = x.fate::jsonb
  FROM unnest(%s::uuid[], %s::text[], %s::bool[]) AS x(id, fate, is_first)
 WHERE e.id = x.id AND e.id = ANY(%s) AND (x.is_first OR e.fate IS NOT NULL)
"""
TELL_STARTED = "UPDATE trigger_event SET fate = NULL WHERE id = ANY(%s) AND fate IS NOT NULL"
