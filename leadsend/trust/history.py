"""What the database says after a run, and a table that notes every change of a finished execution."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, Final

from leadsend.testing.stack import Stack

FINAL: Final = "('SUCCESS', 'FAILED', 'CANCELLED', 'TIMED_OUT')"
# After the guard of the product: what it refuses is found in the server's log.
SHADOW: Final = (
    "CREATE TABLE trust_overwritten (id uuid, was text, became text, at timestamptz DEFAULT now())",
    """CREATE FUNCTION trust_note_overwritten() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         INSERT INTO trust_overwritten VALUES (OLD.id, OLD.status, NEW.status);
         RETURN NULL;
       END $$""",
    f"""CREATE TRIGGER trust_overwritten AFTER UPDATE ON workflow_execution FOR EACH ROW
        WHEN (OLD.status IN {FINAL} AND OLD.* IS DISTINCT FROM NEW.*)
        EXECUTE FUNCTION trust_note_overwritten()""",
)
_REFUSED: Final = "and cannot become"
# Waits for a person: neither stuck nor lost.
_OPEN_QUESTION: Final = """EXISTS (SELECT 1 FROM step_execution s WHERE s.execution_id = e.id
  AND s.status = 'UNCERTAIN')"""


def install_shadow(stack: Stack) -> None:
    """Note from now on every change of a row that was final."""
    for statement in SHADOW:
        stack.sql(statement)


def overwritten(stack: Stack) -> int:
    """Return how many final executions were changed."""
    return _number(stack, "SELECT count(*) FROM trust_overwritten")


def refused_overwrites(stack: Stack) -> int:
    """Return how often the database's guard had to refuse the leaving of a final state."""
    postgres = stack.services.postgres
    text = postgres.log.read_text(errors="replace") if postgres is not None else ""
    return sum("ERROR" in line and _REFUSED in line for line in text.splitlines())


def unfinished(stack: Stack, workflow_id: str) -> int:
    """Return how much is on its way: executions that wait for nobody, and the inbox."""
    return _number(
        stack,
        f"""SELECT (SELECT count(*) FROM trigger_inbox)
          + (SELECT coalesce(sum(cardinality(execution_ids)), 0) FROM execution_batch) + (SELECT count(*) FROM workflow_execution e
             WHERE workflow_id = %s AND status NOT IN {FINAL}
               AND NOT (status = 'WAITING' AND {_OPEN_QUESTION}))""",
        workflow_id,
    )


def stuck_rows(stack: Stack, workflow_id: str) -> list[dict[str, Any]]:
    """Return what is known of some that are on their way, to find out why: rows as JSON."""
    rows = _rows(
        stack,
        f"""SELECT to_jsonb(x) FROM (
              SELECT e.id, e.status, e.fence, e.crash_count, e.pending, e.worker_id,
                     e.lease_until - now() AS lease, e.run_after - now() AS due,
                     now() - e.created_at AS age,
                     (SELECT t.due_at - now() FROM execution_timer t
                       WHERE t.execution_id = e.id) AS timer,
                     (SELECT jsonb_agg(jsonb_build_array(s.step_id, s.attempt, s.status,
                                       s.error->>'code', s.due_at - now()) ORDER BY s.id)
                        FROM step_execution s WHERE s.execution_id = e.id) AS steps
                FROM workflow_execution e
               WHERE e.workflow_id = %s AND e.status NOT IN {FINAL}
                 AND NOT (e.status = 'WAITING' AND {_OPEN_QUESTION}) LIMIT 5) x""",
        workflow_id,
    )
    return [row for (row,) in rows]


def uncertain(stack: Stack, workflow_id: str) -> list[tuple[str, str, str, str]]:
    """Return ``(execution, step, lead, effect key)`` of every step that waits for a person."""
    return _rows(
        stack,
        """SELECT e.id::text, s.step_id, e.context_data->>'lead', s.effect_key::text
             FROM step_execution s JOIN workflow_execution e ON e.id = s.execution_id
            WHERE e.workflow_id = %s AND s.status = 'UNCERTAIN'""",
        workflow_id,
    )


def by_status(stack: Stack, workflow_id: str) -> dict[str, int]:
    """Return the number of executions of each status."""
    rows = _rows(
        stack,
        "SELECT status, count(*) FROM workflow_execution WHERE workflow_id = %s GROUP BY status",
        workflow_id,
    )
    return dict(rows)


def failures(stack: Stack, workflow_id: str) -> list[str]:
    """Return how often executions failed by which error, after how many crashes."""
    rows = _rows(
        stack,
        """SELECT error->>'code', crash_count, count(*) FROM workflow_execution
            WHERE workflow_id = %s AND status IN ('FAILED', 'TIMED_OUT') GROUP BY 1, 2""",
        workflow_id,
    )
    return [f"{times} × {code} after {crashes} crashes" for code, crashes, times in rows]


def rows_twice(stack: Stack) -> int:
    """Return how many events, executions, step attempts or tasks are there more than once."""
    return _number(
        stack,
        """SELECT coalesce(sum(n - 1), 0) FROM (
             SELECT count(*) n FROM trigger_event WHERE dedupe_key IS NOT NULL
              GROUP BY source, dedupe_key
             UNION ALL SELECT count(*) FROM workflow_execution
              GROUP BY trigger_event_id, subscription_id, replay, retry_of
             UNION ALL SELECT count(*) FROM step_execution
              GROUP BY execution_id, step_id, item, attempt
             UNION ALL SELECT count(*) FROM tasks WHERE effect_key IS NOT NULL GROUP BY effect_key
           ) AS groups""",
    )


def poisoned(stack: Stack, workflow_id: str) -> list[tuple[str, str | None, int]]:
    """Return ``(status, error's code, crashes)`` of each execution of the poison workflow."""
    return _rows(
        stack,
        """SELECT status, error->>'code', crash_count FROM workflow_execution
            WHERE workflow_id = %s""",
        workflow_id,
    )


def engine_turns(stack: Stack) -> list[tuple[float, str]]:
    """Return when which engine signed on or was last seen, in seconds since the epoch."""
    rows = _rows(
        stack,
        """SELECT extract(epoch FROM started_at), extract(epoch FROM coalesce(stopped_at, seen_at)),
                  pid FROM worker""",
    )
    signed_on = [(float(row[0]), f"engine {row[2]} signed on") for row in rows]
    last_seen = [(float(row[1]), f"engine {row[2]} last seen") for row in rows]
    return signed_on + last_seen


def retries_due(stack: Stack, keys: Collection[str]) -> dict[str, list[tuple[float, float]]]:
    """Return, by the key of an effect, when its retries were written down, and for when.

    Both are seconds since the epoch.
    """
    rows = _rows(
        stack,
        """SELECT effect_key::text, extract(epoch FROM created_at), extract(epoch FROM due_at)
             FROM step_execution WHERE effect_key = ANY(%s::uuid[]) AND due_at IS NOT NULL""",
        list(keys),
    )
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for key, created_at, due_at in rows:
        found[key].append((float(created_at), float(due_at)))
    return found


def start_delays_ms(stack: Stack, workflow_id: str) -> list[tuple[float, float]]:
    """Return ``(accepted at, in seconds since the epoch; milliseconds until the first claim)``."""
    return [
        (float(at), float(delay))
        for at, delay in _rows(
            stack,
            """SELECT extract(epoch FROM t.received_at),
                      extract(epoch FROM e.started_at - t.received_at) * 1000
                 FROM workflow_execution e JOIN trigger_event t ON t.id = e.trigger_event_id
                WHERE e.workflow_id = %s AND e.started_at IS NOT NULL""",
            workflow_id,
        )
    ]


def _number(stack: Stack, query: str, *parameters: object) -> int:
    return int(stack.sql(query, *parameters)[0][0])


def _rows(stack: Stack, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    found: Sequence[tuple[Any, ...]] = stack.sql(query, *parameters)
    return list(found)
