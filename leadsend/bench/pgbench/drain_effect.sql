-- Fifty executions: what is about to be done in one commit, the answers in a second one.
BEGIN;
WITH taken AS (
  DELETE FROM trigger_inbox WHERE id IN (
    SELECT id FROM trigger_inbox ORDER BY id LIMIT 50 FOR UPDATE SKIP LOCKED)
  RETURNING event_id, received_at
), run AS (
  INSERT INTO workflow_execution (id, project_id, workflow_id, version_id, subscription_id,
    trigger_event_id, trigger_key, trigger_type, status, fence, pending, created_at, claimed_at,
    started_at, deadline_at, lease_until, worker_id)
  SELECT overlay(e.id::text placing substr(md5(e.id::text), 1, 12) from 25)::uuid, e.project_id,
    s.workflow_id, w.live_version_id, s.id, e.id, e.trigger_key, e.trigger_type, 'RUNNING', 1,
    '[{"item": null, "step": "tell", "attempt": 1}]', t.received_at, now(), now(),
    now() + interval '1 hour', now() + interval '30 s',
    md5('worker' || :client_id)::uuid
  FROM taken t JOIN trigger_event e ON e.id = t.event_id
  JOIN workflow_subscription s ON s.source = e.source
  JOIN workflow_definition w ON w.id = s.workflow_id
  RETURNING id, project_id, trigger_event_id
)
INSERT INTO step_execution (id, project_id, execution_id, step_id, kind, action_key, status,
  branch, input_data, result_data, started_at, ended_at, execution_time)
SELECT overlay(r.id::text placing substr(md5(r.id::text || n), 1, 12) from 25)::uuid, r.project_id,
  r.id, 's' || n, 'action', 'set_fields', 'SUCCESS', 'default',
  jsonb_build_object('fields', jsonb_build_array(
    jsonb_build_object('path', 'name', 'value', e.data -> 'name'))),
  jsonb_build_object('name', e.data -> 'name'), now(), now(), 0
FROM run r JOIN trigger_event e ON e.id = r.trigger_event_id
CROSS JOIN generate_series(1, 2) n;
COMMIT;
BEGIN;
WITH run AS (
  UPDATE workflow_execution SET status = 'SUCCESS', pending = NULL, lease_until = NULL,
    worker_id = NULL, ended_at = now(), execution_time = 9,
    metrics = '{"steps": 4, "run_ms": 9, "wait_ms": 0, "attempts": 4}'
  WHERE status = 'RUNNING' AND worker_id = md5('worker' || :client_id)::uuid
  RETURNING id, project_id, trigger_event_id
)
INSERT INTO step_execution (id, project_id, execution_id, step_id, kind, action_key, status,
  branch, input_data, result_data, effect_key, started_at, ended_at, execution_time)
SELECT overlay(r.id::text placing substr(md5(r.id::text || n), 1, 12) from 25)::uuid, r.project_id,
  r.id, 's' || n, 'action', 'http_request', 'SUCCESS', 'default',
  jsonb_build_object('url', 'http://127.0.0.1:8000/', 'method', 'POST', 'body', e.data),
  '{"body": {"ok": true}, "status": 200, "headers": {"content-type": "application/json"}}',
  r.id, now(), now(), 5
FROM run r JOIN trigger_event e ON e.id = r.trigger_event_id
CROSS JOIN generate_series(3, 4) n;
COMMIT;
