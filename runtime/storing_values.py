"""Commits that carry large values: those go to the object storage first, outside the transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from leadsend.lib import clock
from leadsend.lib.postgres import Connection
from runtime import payloads
from runtime.outgrowing import Outgrown, cut
from runtime.payloads import NotPlaced
from runtime.recording import Recorded, large_values
from runtime.runs import Run

log = logging.getLogger(__name__)

# When an execution is looked at again that the storage kept from going on.
LATE_PAUSE_S: Final = 5.0
# About five minutes of trying; after that the execution is given back without being blamed.
_MOST_TRIES: Final = 60
_MOST_ROUNDS: Final = 100

Commit = Callable[[Connection, list[Run]], list[Recorded]]


@dataclass(slots=True, kw_only=True)
class Made:
    """What was committed of which runs; ``late`` wait for the storage, ``given_up`` no longer do."""

    runs: list[Run] = field(default_factory=list)
    said: list[Recorded] = field(default_factory=list)
    late: list[Run] = field(default_factory=list)
    given_up: list[Run] = field(default_factory=list)


class Storing:
    """One engine's runs that cannot be recorded before the storage has taken their values."""

    def __init__(self) -> None:
        self._late: dict[UUID, float] = {}

    def held_bytes(self, held: Mapping[UUID, Run]) -> int:
        """Return how much of large values is in memory."""
        return sum(run.large_bytes for run in held.values())

    def due(self, held: Mapping[UUID, Run]) -> Iterator[Run]:
        """Return the runs whose recording is to be tried again now."""
        if not self._late:
            return
        now = clock.monotonic()
        for run_id in [one for one, moment in self._late.items() if moment <= now]:
            del self._late[run_id]
            if run_id in held:
                yield held[run_id]

    def commit(
        self,
        connection: Connection,
        runs: list[Run],
        commit: Commit,
        *,
        write_out: Callable[[list[Run]], None],
    ) -> Made:
        """Commit; what is found to be large meanwhile is stored, and the commit made anew.

        Small commits pay nothing for this: that a value is large turns out while its row is made.
        ``write_out`` gives rows to runs that have none, so that some can be left out of the commit.
        """
        made = Made(runs=runs)
        for _ in range(_MOST_ROUNDS):
            try:
                if made.runs:
                    made.said = commit(connection, made.runs)
            except NotPlaced:
                self._store(made)
                if made.late or made.given_up:
                    write_out([*made.runs, *made.late, *made.given_up])
            except Outgrown as found:
                log.info("run outgrown", extra={"execution": str(found.run.id)})
                cut(found.run)
            else:
                return made
        raise RuntimeError("A commit was found to be too large again and again.")

    def _store(self, made: Made) -> None:
        ready = []
        for run in made.runs:
            project = run.claimed.project_id
            error = payloads.place([(project, data) for data in large_values(run)])
            if error is None:
                ready.append(run)
                continue
            log.warning("value not stored", extra={"execution": str(run.id), "why": error.message})
            run.storage_tries += 1
            if run.storage_tries > _MOST_TRIES:
                made.given_up.append(run)
            else:
                self._late[run.id] = clock.monotonic() + LATE_PAUSE_S
                made.late.append(run)
        made.runs = ready
