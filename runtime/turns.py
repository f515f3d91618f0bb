"""Turns: of the executions with one concurrency key, only so many have begun and not ended.

Who changes who has a turn holds the key's lock (``lock_keys``) until the commit. Locks are taken in
one order, and before those of any execution; who has locked an execution never waits for a key.
The end of an execution, by whomever, is seen in its own row: nothing has to be told here for the
count to be right, and ``sweep`` finds what nobody passed on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from leadsend.lib.postgres import Connection, django_connection
from runtime import queueing
from runtime.models import Execution

Key = tuple[UUID, str]  # (workflow, concurrency key)

LONGEST_KEY: Final = 300
_MOST_SWEPT: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Who has the turns of a key, oldest first, and the newest of those that wait for one."""

    begun: tuple[UUID, ...] = ()
    newest_held: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A row to be written for an execution of the same commit."""

    execution_id: UUID
    key: Key
    place: datetime
    most: int
    is_held: bool
    is_ready: bool = True
    is_strict: bool = False


def lock_keys(connection: Connection, keys: Iterable[Key]) -> None:
    """Keep everybody else from changing who has a turn of these keys, until the commit."""
    numbers = sorted({_number(key) for key in keys})
    if numbers:
        connection.execute(_LOCK, [numbers])


def standing(connection: Connection, keys: Collection[Key]) -> dict[Key, Standing]:
    """Return who has turns and who waits; the keys are locked."""
    connection.execute(_CLEAN, _columns(keys))
    rows = connection.execute(_STANDING, _columns(keys)).fetchall()
    return {(row[0], row[1]): Standing(begun=tuple(row[2]), newest_held=row[3]) for row in rows}


def add(connection: Connection, turns: Sequence[Turn]) -> None:
    """Write the turns of executions that were inserted before, in the same transaction."""
    rows = [
        (
            turn.execution_id,
            *turn.key,
            turn.place,
            turn.most,
            turn.is_held,
            turn.is_ready,
            turn.is_strict,
        )
        for turn in turns
    ]
    if rows:
        connection.execute(_ADD, [list(column) for column in zip(*rows, strict=True)])


def pass_on(connection: Connection, keys: Collection[Key]) -> int:
    """Let those begin whose turn it is, in the order of arrival; return how many; keys are locked.

    An execution whose row somebody has locked is left for the next look, and nobody passes it.
    """
    if not keys:
        return 0
    connection.execute(_CLEAN, _columns(keys))
    ids = [row[0] for row in connection.execute(_NEXT, _columns(keys)).fetchall()]
    return connection.execute(_BEGIN, {"ids": ids}).rowcount if ids else 0


def lock_and_pass_on(connection: Connection, keys: Collection[Key]) -> int:
    """Do both in a transaction of its own; ``connection`` is in autocommit."""
    with connection.transaction():
        lock_keys(connection, keys)
        return pass_on(connection, keys)


def make_ready(connection: Connection, execution_ids: Sequence[UUID], *, is_ready: bool) -> int:
    """Let others pass these, or let them stand in line again; return how many wait for a turn.

    Needs no lock of their keys.
    """
    return connection.execute(_READY, [is_ready, list(execution_ids)]).rowcount


def step_aside(execution: Execution) -> None:
    """Let others pass an execution that was paused while it waited for its turn."""
    if execution.concurrency_key is not None:
        make_ready(django_connection(), [execution.pk], is_ready=False)
        pass_on_after_commit((execution.workflow_id, execution.concurrency_key))


def stand_in_line(execution: Execution) -> bool:
    """Say whether an execution that is resumed has to wait for its turn, at its old place."""
    if execution.concurrency_key is None:
        return False
    if not make_ready(django_connection(), [execution.pk], is_ready=True):
        return False
    pass_on_after_commit((execution.workflow_id, execution.concurrency_key))
    return True


def succeed(execution: Execution, retry: Execution, rule: Mapping[str, Any]) -> None:
    """Put a retry, inserted as WAITING, in line for its key: at the place that the old one kept.

    ``rule`` is ``settings.concurrency`` of the retry's version. Needs no lock of the key.
    """
    key = (retry.workflow_id, retry.concurrency_key or "")
    kept = django_connection().execute(_TAKE_AWAY, [execution.pk]).fetchone()
    turn = Turn(
        execution_id=retry.pk,
        key=key,
        place=kept[0] if kept else retry.created_at,
        most=rule.get("limit", 1),
        is_held=True,
        is_strict=bool(rule.get("strict_order")),
    )
    add(django_connection(), [turn])
    pass_on_after_commit(key)


def release(execution: Execution) -> bool:
    """Give up the place that a failed execution keeps in a strict order; say whether it had one."""
    had: bool = django_connection().execute(_TAKE_AWAY, [execution.pk]).rowcount > 0
    if execution.concurrency_key is not None:
        pass_on_after_commit((execution.workflow_id, execution.concurrency_key))
    return had


def pass_on_after_commit(key: Key) -> None:
    """Let the next of a key begin once the transaction of Django's connection is committed.

    In a transaction of its own, because who ends an execution has locked it. When that does not
    happen, a sweep makes up for it.
    """
    transaction.on_commit(partial(_pass_on_now, key), robust=True)


def sweep() -> int:
    """Pass on whatever turns are free and nobody passed on; return how many executions began.

    The floor under everything: safe to call by anybody at any time. Uses Django's connection.
    """
    raw = django_connection()
    with transaction.atomic():
        if raw.execute(_MAY_SWEEP).fetchall() != [(True,)]:
            return 0
        while raw.execute(_CLEAN_LINES).rowcount:
            pass
        rows = raw.execute(_HELD_KEYS, [_MOST_SWEPT]).fetchall()
    begun = sum(_in_transaction((row[0], row[1])) for row in rows)
    if begun:
        queueing.ring()
    return begun


def forget_ended() -> int:
    """Delete the turns of all executions that are over or gone; return how many. Reads them all."""
    with transaction.atomic():
        count: int = django_connection().execute(_CLEAN_ALL).rowcount
    return count


def shortened(key: str) -> str:
    """Return a key that fits its column, different ones staying different."""
    if len(key) <= LONGEST_KEY:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: LONGEST_KEY - len(digest) - 1]}:{digest}"


def _pass_on_now(key: Key) -> None:
    if _in_transaction(key):
        queueing.ring()


def _in_transaction(key: Key) -> int:
    with transaction.atomic():
        raw = django_connection()
        lock_keys(raw, [key])
        return pass_on(raw, [key])


def _number(key: Key) -> int:
    digest = hashlib.blake2b(key[1].encode(), digest_size=8, key=key[0].bytes).digest()
    return int.from_bytes(digest, signed=True)


def _columns(keys: Collection[Key]) -> dict[str, list[Any]]:
    return {"workflows": [key[0] for key in keys], "keys": [key[1] for key in keys]}


_LOCK: Final = "SELECT pg_advisory_xact_lock(n) FROM unnest(%s::bigint[]) AS n"
_WANTED: Final = "unnest(%(workflows)s::uuid[], %(keys)s::text[]) AS k(workflow_id, key)"
# A turn ends with its execution. A failed one keeps it where the order is strict.
_IS_OVER: Final = """
      e.status IN ('SUCCESS', 'CANCELLED')
   OR (e.status IN ('FAILED', 'TIMED_OUT') AND (t.is_held OR NOT t.is_strict))
"""
_CLEAN: Final = f"""
DELETE FROM concurrency_turn t USING {_WANTED}, workflow_execution e
 WHERE t.workflow_id = k.workflow_id AND t.key = k.key AND NOT t.is_held
   AND e.id = t.execution_id AND ({_IS_OVER})
"""  # noqa: S608 - constants only
_STANDING: Final = f"""
SELECT k.workflow_id, k.key,
       ARRAY(SELECT t.execution_id FROM concurrency_turn t
              WHERE t.workflow_id = k.workflow_id AND t.key = k.key AND NOT t.is_held
              ORDER BY t.place, t.execution_id),
       (SELECT t.execution_id FROM concurrency_turn t
         WHERE t.workflow_id = k.workflow_id AND t.key = k.key AND t.is_held AND t.is_ready
         ORDER BY t.place DESC, t.execution_id DESC LIMIT 1)
  FROM {_WANTED}
"""  # noqa: S608 - constants only
_TAKE_AWAY: Final = "DELETE FROM concurrency_turn WHERE execution_id = %s RETURNING place"
_ADD: Final = """
INSERT INTO concurrency_turn (execution_id, workflow_id, key, place, most, is_held, is_ready,
    is_strict)
SELECT x.* FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::timestamptz[], %s::int[], %s::bool[],
    %s::bool[], %s::bool[])
  AS x(execution_id, workflow_id, key, place, most, is_held, is_ready, is_strict)
  JOIN workflow_execution e ON e.id = x.execution_id AND e.status IN ('PENDING', 'WAITING')
ON CONFLICT (execution_id) DO NOTHING
"""
# Who is next is settled before their rows are locked, so that nobody passes one that is locked.
_NEXT: Final = f"""
WITH free AS (
  SELECT k.workflow_id, k.key, h.most - (
      SELECT count(*) FROM concurrency_turn t
       WHERE t.workflow_id = k.workflow_id AND t.key = k.key AND NOT t.is_held) AS room
    FROM {_WANTED} CROSS JOIN LATERAL (
      SELECT t.most FROM concurrency_turn t
       WHERE t.workflow_id = k.workflow_id AND t.key = k.key AND t.is_held AND t.is_ready
       ORDER BY t.place, t.execution_id LIMIT 1) AS h
)
SELECT n.execution_id FROM free f CROSS JOIN LATERAL (
  SELECT t.execution_id FROM concurrency_turn t
   WHERE t.workflow_id = f.workflow_id AND t.key = f.key AND t.is_held AND t.is_ready
   ORDER BY t.place, t.execution_id LIMIT greatest(f.room, 0)) AS n
"""  # noqa: S608 - constants only
# Without waiting: who has locked one of them may be about to wait for this key.
_BEGIN: Final = """
WITH mine AS (
  SELECT id FROM workflow_execution
   WHERE id = ANY(%(ids)s) AND status = 'WAITING' FOR UPDATE SKIP LOCKED
), begun AS (
  UPDATE workflow_execution e SET status = 'PENDING', run_after = statement_timestamp()
    FROM mine WHERE e.id = mine.id AND e.id = ANY(%(ids)s) RETURNING e.id
)
UPDATE concurrency_turn t SET is_held = false FROM begun WHERE t.execution_id = begun.id
"""
_READY: Final = "UPDATE concurrency_turn SET is_ready = %s WHERE execution_id = ANY(%s) AND is_held"
# One sweeper at a time is enough.
_MAY_SWEEP: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('turns.sweep', 0))"
# Ended ones in front of, and at the head of, those that wait.
_CLEAN_LINES: Final = f"""
DELETE FROM concurrency_turn t WHERE t.execution_id IN (
  SELECT t.execution_id FROM (
    SELECT execution_id, workflow_id, key, is_held, is_strict FROM concurrency_turn
     WHERE NOT is_held AND (workflow_id, key) IN (
       SELECT workflow_id, key FROM concurrency_turn WHERE is_held)
    UNION ALL
    (SELECT DISTINCT ON (workflow_id, key) execution_id, workflow_id, key, is_held, is_strict
       FROM concurrency_turn WHERE is_held AND is_ready
      ORDER BY workflow_id, key, place, execution_id)) AS t
    LEFT JOIN workflow_execution e ON e.id = t.execution_id
   WHERE e.id IS NULL OR {_IS_OVER})
"""  # noqa: S608 - constants only
_CLEAN_ALL: Final = f"""
DELETE FROM concurrency_turn WHERE execution_id IN (
  SELECT t.execution_id FROM concurrency_turn t
    LEFT JOIN workflow_execution e ON e.id = t.execution_id
   WHERE e.id IS NULL OR {_IS_OVER})
"""  # noqa: S608 - constants only
# Keys with room only: of one that is full, the end of those before passes it on.
_HELD_KEYS: Final = """
SELECT h.workflow_id, h.key FROM (
  SELECT t.workflow_id, t.key, max(t.most) AS most FROM concurrency_turn t
   WHERE t.is_held AND t.is_ready GROUP BY t.workflow_id, t.key) AS h
 WHERE h.most > (SELECT count(*) FROM concurrency_turn t
                  WHERE t.workflow_id = h.workflow_id AND t.key = h.key AND NOT t.is_held)
 ORDER BY h.workflow_id, h.key LIMIT %s
"""
