-- One event accepted in one commit, its execution from the inbox to its end in a second one.
-- Variables: project, endpoint, prefix (12 hex digits of a moment), data, request.
\set a random(0, 2147483647)
\set b random(0, 2147483647)
WITH e AS (
  SELECT (':prefix' || '7' || substr(md5(:a || ':' || :b || ':' || :client_id), 1, 19))::uuid AS id
), k AS (
  INSERT INTO event_key (id, project_id, source, key, event_id, answer)
  SELECT id, ':project'::uuid, 'webhook:' || ':endpoint', id::text, id,
    jsonb_build_object('event_id', id)
  FROM e ON CONFLICT (source, key) DO NOTHING RETURNING event_id
), s AS (
  INSERT INTO trigger_event (id, project_id, trigger_key, trigger_type, source, dedupe_key, data,
    request)
  SELECT e.id, ':project'::uuid, 'webhook', 'webhook', 'webhook:' || ':endpoint', e.id::text,
    ':data'::jsonb, ':request'::jsonb
  FROM e WHERE e.id IN (SELECT event_id FROM k) ON CONFLICT (id) DO NOTHING RETURNING id
)
INSERT INTO trigger_inbox (id, event_id, replay) SELECT id, id, 0 FROM s ON CONFLICT DO NOTHING;
WITH taken AS (
  DELETE FROM trigger_inbox
   WHERE id = (':prefix' || '7' || substr(md5(:a || ':' || :b || ':' || :client_id), 1, 19))::uuid
  RETURNING event_id, received_at
), run AS (
  INSERT INTO workflow_execution (id, project_id, workflow_id, version_id, subscription_id,
    trigger_event_id, trigger_key, trigger_type, status, fence, metrics, created_at, claimed_at,
    started_at, deadline_at, ended_at, execution_time)
  SELECT overlay(e.id::text placing substr(md5(e.id::text), 1, 12) from 25)::uuid, e.project_id,
    s.workflow_id, w.live_version_id, s.id, e.id, e.trigger_key, e.trigger_type, 'SUCCESS', 1,
    '{"steps": 1, "run_ms": 1, "wait_ms": 0, "attempts": 1}', t.received_at, now(), now(),
    now() + interval '1 hour', now(), 5
  FROM taken t JOIN trigger_event e ON e.id = t.event_id
  JOIN workflow_subscription s ON s.source = e.source
  JOIN workflow_definition w ON w.id = s.workflow_id
  RETURNING id, project_id, trigger_event_id
)
INSERT INTO step_execution (id, project_id, execution_id, step_id, kind, action_key, status,
  branch, input_data, result_data, started_at, ended_at, execution_time)
SELECT overlay(r.id::text placing substr(md5(r.id::text), 1, 12) from 25)::uuid, r.project_id,
  r.id, 's1', 'action', 'set_fields', 'SUCCESS', 'default',
  jsonb_build_object('fields', jsonb_build_array(
    jsonb_build_object('path', 'name', 'value', e.data -> 'name'))),
  jsonb_build_object('name', e.data -> 'name'), now(), now(), 0
FROM run r JOIN trigger_event e ON e.id = r.trigger_event_id;
