"""Celery's consumer of messages, made to outlive whatever its broker does.

Celery ends the whole worker on errors that it does not expect of a broker: a Redis that is out of
memory, or kombu's own AttributeErrors when a connection goes away between two of its lines. Messages
only wake engines up, so none of that may end the process that hosts them.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Any, Final

from celery.bootsteps import CLOSE, TERMINATE  # type: ignore[attr-defined] # missing in the stubs
from celery.worker.consumer import Consumer

log = logging.getLogger(__name__)

PAUSE_S: Final = 1.0


class PatientConsumer(Consumer):
    """Begins anew, with a new connection, after every failure."""

    def start(self) -> None:
        """Consume until the worker is told to stop, which Celery says by SystemExit."""
        while self.blueprint.state not in (CLOSE, TERMINATE):
            try:
                super().start()
            except Exception as error:  # noqa: BLE001 - nothing of the broker may end the worker
                log.warning("broker failed unforeseen", extra={"error": repr(error)[:300]})
                self._begin_anew()
                time.sleep(PAUSE_S)

    def _begin_anew(self) -> None:
        """Do as Celery does after an error that it knows, with a connection that may be broken."""
        connection: Any = self.connection
        self.connection = None
        if connection is not None:
            with suppress(Exception):
                connection.close()
        self.on_close()
        self._cancel_connection_timer_entries()  # type: ignore[attr-defined] # likewise
        self.blueprint.restart(self)
