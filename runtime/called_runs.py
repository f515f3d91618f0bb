"""Runs that a step of another run calls: their start, and their cancelling."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson
from jsonschema import Draft202012Validator

from leadsend.lib import clock, ids
from leadsend.lib.errors import ConfigurationError, PermanentError
from leadsend.lib.payloads import wrapped
from leadsend.lib.postgres import Connection
from runtime.storable import to_json

if TYPE_CHECKING:
    from runtime.transactional import Place

DEEPEST: Final = 5
DEFAULT_TIMEOUT_S: Final = 3600
_MOST_NOTES: Final = 500


def start(connection: Connection, place: Place, given: Mapping[str, Any]) -> dict[str, Any]:
    """Insert the run that a step calls, of the version that is live now.

    ``given`` is ``{"workflow": slug or id, "input": {…}, "mode"}``. Returns ``{"execution_id",
    "output": None}``, the same for the same attempt. Raises ConfigurationError when the workflow
    cannot be called, PermanentError when its input is not what it asks for.
    """
    wanted = str(given.get("workflow") or "").strip()
    found = connection.execute(_FIND, [place.project_id, wanted, wanted]).fetchone()
    if found is None:
        raise ConfigurationError(
            f"Step {place.step_id} calls the workflow “{wanted}”, which this project does not "
            "have: choose another.",
            code="workflow_unknown",
        )
    workflow_id, name, version_id, timeout_s, business_key, schema = found
    if version_id is None:
        raise ConfigurationError(
            f"Step {place.step_id} calls the workflow “{name}”, which is not live: publish it, or "
            "switch it on.",
            code="workflow_not_live",
        )
    if place.depth >= DEEPEST:
        raise _too_deep(connection, place, name)
    event = given.get("input") or {}
    _check_input(place.step_id, name, schema, event)
    at = place.at or clock.now()
    execution_id = ids.called_execution_id(
        place.execution_id, place.step_id, place.item, place.attempt, int(at.timestamp() * 1000)
    )
    values = {
        "id": execution_id,
        "project": place.project_id,
        "workflow": workflow_id,
        "version": version_id,
        "event": to_json(wrapped(event)),
        "business_key": "" if business_key else place.business_key,
        "timeout": timeout_s or DEFAULT_TIMEOUT_S,
        "caller": place.execution_id,
        "step": place.step_id,
        "item": place.item,
        "depth": place.depth + 1,
    }
    connection.execute(_INSERT, values)
    return {"execution_id": str(execution_id), "output": None}


def cancel_called(connection: Connection) -> int:
    """Ask those runs to end whose caller ended without hearing of them; return how many.

    Locked ones are left to the next call; any engine makes it every few seconds. One that waits
    becomes pending, so that the engine that claims it closes its steps and asks on downwards.
    """
    return connection.execute(_CANCEL, [_MOST_NOTES]).rowcount


def _check_input(step_id: str, name: str, schema: str | None, event: Any) -> None:
    if schema is None:
        return
    # As it will be read by the run: moments are text then.
    given = orjson.loads(to_json(event) or "null")
    found = next(_validator(schema).iter_errors(given), None)
    if found is not None:
        where = "/".join(str(part) for part in found.absolute_path) or "the input"
        raise PermanentError(
            f"Step {step_id}: the workflow “{name}” does not take this input: {where}: "
            f"{found.message[:300]}.",
            code="input_refused",
        )


@lru_cache(maxsize=500)
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(orjson.loads(schema))


def _too_deep(connection: Connection, place: Place, name: str) -> PermanentError:
    chain = [row[0] for row in connection.execute(_CHAIN, [place.execution_id]).fetchall()]
    return PermanentError(
        f"Step {place.step_id}: workflows may call each other {DEEPEST} deep, and this would be one "
        f"more: {' → '.join([*chain, name])}.",
        code="too_deep",
    )


_FIND: Final = """
SELECT w.id, w.name, CASE WHEN w.is_active AND w.deleted_at IS NULL THEN w.live_version_id END,
       least((v.document::jsonb #>> '{settings,timeout_s}')::numeric, 2147483647)::int,
       v.document::jsonb #>> '{settings,business_key}',
       (v.document::jsonb #> '{settings,input}')::text
  FROM workflow_definition w LEFT JOIN workflow_version v ON v.id = w.live_version_id
 WHERE w.project_id = %s AND (w.slug = %s OR w.id::text = %s)
 ORDER BY w.slug LIMIT 1
"""
_INSERT: Final = """
INSERT INTO workflow_execution (id, project_id, workflow_id, version_id, trigger_key, trigger_type,
    context_data, business_key, timeout_s, parent_execution, parent_step, parent_item, depth)
VALUES (%(id)s, %(project)s, %(workflow)s, %(version)s, 'workflow', 'workflow', %(event)s,
    %(business_key)s, %(timeout)s, %(caller)s, %(step)s, %(item)s, %(depth)s)
ON CONFLICT (id) DO NOTHING
"""
_CHAIN: Final = """
WITH RECURSIVE above AS (
  SELECT id, workflow_id, parent_execution, depth FROM workflow_execution WHERE id = %s
  UNION ALL
  SELECT e.id, e.workflow_id, e.parent_execution, e.depth
    FROM above JOIN workflow_execution e ON e.id = above.parent_execution
)
SELECT w.name FROM above JOIN workflow_definition w ON w.id = above.workflow_id ORDER BY above.depth
"""
# Everything here gives way to a lock: it can never be one half of a deadlock.
_CANCEL: Final = """
WITH note AS (
  SELECT id, key::uuid AS called FROM execution_wait
   WHERE kind = 'cancel' AND kind <> 'event' AND answered_at IS NULL
   ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
), held AS (
  SELECT e.id FROM workflow_execution e
   WHERE e.id IN (SELECT called FROM note) FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM execution_wait WHERE id IN (
    SELECT note.id FROM note WHERE called IN (SELECT id FROM held)
        OR NOT EXISTS (SELECT FROM workflow_execution e WHERE e.id = note.called))
)
UPDATE workflow_execution e SET
  cancel_requested_at = coalesce(cancel_requested_at, statement_timestamp()),
  run_after = CASE WHEN status IN ('WAITING', 'PAUSED') THEN statement_timestamp() ELSE run_after END,
  status = CASE WHEN status IN ('WAITING', 'PAUSED') THEN 'PENDING' ELSE status END
 WHERE e.id IN (SELECT id FROM held)
   AND status NOT IN ('SUCCESS', 'FAILED', 'CANCELLED', 'TIMED_OUT')
"""
