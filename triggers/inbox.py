"""The one way in: what ``accept`` returns is committed, and will reach a final state."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import InterfaceError, InternalError, OperationalError, connection

from leadsend.lib.errors import Unavailable
from triggers.events import (
    FIRST_WITH_KEY,
    INSERT,
    Accepted,
    NewEvent,
    answers,
    columns,
    keys_of,
    offloaded,
    repeated,
    with_identity,
)
from triggers.waking import wake_after_commit

AWAY = "The database is away: nothing was accepted. Send it again later."


def accept(events: Sequence[NewEvent]) -> list[Accepted]:
    """Store events with their keys and inbox rows in one commit, and wake the engines.

    An event whose key its source has sent before is not stored; it gets the first one's answer.
    Inside a transaction it becomes part of that, and is accepted when the caller commits. Raises
    Unavailable when the database is away, or the object storage for a large event. A lost connection is tried once more: the ids are made
    here and the statement gives way to what is there, so nothing can be stored twice.
    """
    if not events:
        return []
    named = [offloaded(with_identity(event)) for event in events]
    try:
        return _store(named)
    except (OperationalError, InterfaceError, InternalError) as error:
        if connection.in_atomic_block:
            raise Unavailable(AWAY) from error
    return _store_again(named)


def _store_again(named: list[NewEvent]) -> list[Accepted]:
    connection.close()
    try:
        return _store(named)
    except (OperationalError, InterfaceError, InternalError) as error:
        raise Unavailable(AWAY) from error


def _store(named: list[NewEvent]) -> list[Accepted]:
    with connection.cursor() as cursor:
        cursor.execute(INSERT, columns(named))
        stored = {row[0] for row in cursor.fetchall()}
        again = repeated(named, stored)
        first = []
        if again:
            cursor.execute(FIRST_WITH_KEY, keys_of(again))
            first = cursor.fetchall()
    if stored:
        wake_after_commit()
    return answers(named, _decoded(first))


def _decoded(rows: list[tuple[str, str, UUID, str | None]]) -> list[tuple[str, str, UUID, Any]]:
    """Django hands jsonb over as text."""
    return [
        (source, key, event_id, json.loads(answer) if answer else None)
        for source, key, event_id, answer in rows
    ]
