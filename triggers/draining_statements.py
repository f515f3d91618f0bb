"""The statements of database changes: draining the outbox, and what the catalogue says."""

from __future__ import annotations

# Keys of advisory locks, held until the end of a transaction (pgbouncer allows those).
DRAIN_LOCK = 7_164_770_001
INSTALL_LOCK = 7_164_770_002

TAKE_TURN = "SELECT pg_try_advisory_xact_lock(%s)"
INSTALL_TURN = "SELECT pg_advisory_xact_lock(%s)"

# Everything stays inside the server, so numbers keep all their digits. The ids are UUIDs of
# version 7 that count on by a quarter of a microsecond a row: their order is the order of the outbox, which
# for one row of the table is the order of its commits, because writers hold its lock meanwhile.
DRAIN = """
WITH gone AS (
  DELETE FROM table_change_outbox WHERE id = ANY (ARRAY(
    SELECT id FROM table_change_outbox ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
  RETURNING id, schema_name, table_name, op, old_row, new_row, changed, depth
), offered AS (
  SELECT g.*, w.project_id, w.key_column,
         CASE WHEN w.columns IS NULL OR w.columns IN ('[]', 'null') THEN NULL
              ELSE w.columns || to_jsonb(w.key_column) END AS columns,
         row_number() OVER (ORDER BY g.id, w.id)
         + (extract(epoch FROM clock_timestamp()) * 4096000)::bigint AS tick
    FROM gone g
    JOIN watched_table w ON w.schema_name = g.schema_name AND w.table_name = g.table_name
   WHERE w.operations ? g.op
), shaped AS (
  SELECT o.*, before.row AS before, after.row AS after,
         CASE WHEN o.op = 'delete' THEN '[]'
              WHEN o.changed IS NOT NULL THEN (
                SELECT coalesce(jsonb_agg(c.name), '[]') FROM jsonb_array_elements_text(o.changed)
                  AS c(name) WHERE o.columns IS NULL OR o.columns ? c.name)
              ELSE (
                SELECT coalesce(jsonb_agg(e.key), '[]') FROM jsonb_each(after.row) e
                 WHERE before.row -> e.key IS DISTINCT FROM e.value) END AS names
    FROM offered o
   CROSS JOIN LATERAL (
     SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}') AS row FROM jsonb_each(o.old_row) e
      WHERE CASE WHEN o.columns IS NULL THEN e.key = o.key_column OR e.key <> ALL (%(secrets)s)
                 ELSE o.columns ? e.key END) before
   CROSS JOIN LATERAL (
     SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}') AS row FROM jsonb_each(o.new_row) e
      WHERE CASE WHEN o.columns IS NULL THEN e.key = o.key_column OR e.key <> ALL (%(secrets)s)
                 ELSE o.columns ? e.key END) after
), stored AS (
  INSERT INTO trigger_event (id, project_id, trigger_key, trigger_type, source, data, request, fate)
  SELECT (lpad(to_hex(tick / 4096), 12, '0') || '7' || lpad(to_hex(tick %% 4096), 3, '0')
          || right(replace(gen_random_uuid()::text, '-', ''), 16))::uuid,
         project_id, 'db_change', 'database', 'table:' || schema_name || '.' || table_name,
         jsonb_build_object(
           'op', op,
           'table', CASE WHEN schema_name = 'public' THEN '' ELSE schema_name || '.' END
                    || table_name,
           'key', coalesce((CASE WHEN op = 'delete' THEN before ELSE after END) -> key_column,
                           'null'),
           'new', after, 'old', before, 'changed', names),
         CASE WHEN depth > 0 THEN jsonb_build_object('depth', depth) END,
         CASE WHEN depth > %(max_depth)s THEN jsonb_build_object(
           'code', 'loop', 'reason', 'Workflows start each other in a circle: stopped at depth '
           || %(max_depth)s::int || '.') END
    FROM shaped ORDER BY tick
  RETURNING id, fate
), waiting AS (
  INSERT INTO trigger_inbox (id, event_id) SELECT id, id FROM stored WHERE fate IS NULL ORDER BY id
)
SELECT count(*) FROM stored
"""

HOME = "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = 'watched_table'::regclass"
LOOK_UP = """
SELECT c.relkind::text, c.relispartition,
       EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'leadsend_change')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %s AND c.relname = %s
"""
_WITHOUT = """
SELECT DISTINCT w.schema_name, w.table_name
  FROM watched_table w
  {join} JOIN pg_namespace n ON n.nspname = w.schema_name
  {join} JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.table_name
         AND c.relkind IN ('r', 'p') AND NOT c.relispartition
 WHERE NOT EXISTS (
   SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'leadsend_change')
"""
WAITING = _WITHOUT.format(join="")
WITHOUT_TRIGGER = _WITHOUT.format(join="LEFT")
WATCHES = """
SELECT key_column, operations, columns, waiting_since
  FROM watched_table WHERE schema_name = %s AND table_name = %s ORDER BY id
"""
NO_LONGER_WAITING = """
UPDATE watched_table SET waiting_since = NULL
 WHERE schema_name = %s AND table_name = %s AND waiting_since IS NOT NULL
"""
# Where the column named as key does not exist, the first column of the primary key takes its place.
FIND_KEY = """
UPDATE watched_table w SET key_column = a.attname
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
 WHERE n.nspname = %s AND c.relname = %s
   AND w.schema_name = n.nspname AND w.table_name = c.relname
   AND NOT EXISTS (SELECT FROM pg_attribute k WHERE k.attrelid = c.oid AND NOT k.attisdropped
                      AND k.attnum > 0 AND k.attname = w.key_column)
"""
OUTBOX_AGE = """
SELECT extract(epoch FROM now() - min(changed_at))::float8, count(*) FROM table_change_outbox
"""
LEAD_SOURCES = """
CREATE TABLE IF NOT EXISTS public.lead_sources (
  id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  name text,
  email text,
  phone text,
  company text,
  source text,
  status text NOT NULL DEFAULT 'new',
  score integer,
  created_at timestamptz NOT NULL DEFAULT now()
)
"""
