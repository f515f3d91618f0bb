"""Takes rows out of the inbox: all there is, or, once they have piled up, lanes in turn."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

from leadsend.lib.postgres import Connection
from triggers.dispatch_statements import TAKE, TAKE_FAIRLY

_FIRST = UUID(int=0)


class Taker:
    """What one process remembers from take to take: whether rows have piled up, and where to begin.

    Both are hints. A take that finds less than it asked for has emptied the inbox, and then the
    simple statement does for the next one.
    """

    def __init__(self) -> None:
        self._has_backlog = False
        self._first = _FIRST

    def take(self, connection: Connection, limit: int) -> list[tuple[Any, ...]]:
        """Take up to ``limit`` rows; they are gone when the caller commits."""
        if self._has_backlog:
            given = {"first": self._first, "limit": limit}
            rows = connection.execute(TAKE_FAIRLY, given).fetchall()
            self._begin_elsewhere(rows, limit)
        else:
            rows = connection.execute(TAKE, [limit]).fetchall()
        self._has_backlog = len(rows) >= limit
        return rows

    def _begin_elsewhere(self, rows: list[tuple[Any, ...]], limit: int) -> None:
        """Begin at any lane next time when there are more of them than one take can visit."""
        visited = {row[0].int >> 112 for row in rows}
        is_first = self._first == _FIRST
        go_on = len(visited) >= limit and is_first
        lane = random.randrange(1 << 15) if go_on else 0  # noqa: S311 - no secret
        self._first = UUID(int=lane << 112)
