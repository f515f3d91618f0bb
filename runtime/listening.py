"""Waking the engines: one NOTIFY by whoever committed work, one listening thread a process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from leadsend.lib.postgres import AWAY, Connection

log = logging.getLogger(__name__)

CHANNEL: Final = "leadsend_wake"
_LOOK_UP_S: Final = 1.0


def notify(connection: Connection) -> None:
    """Wake all engines; call it once for a group of commits, never for a row."""
    connection.execute(f"NOTIFY {CHANNEL}")


class Listener:
    """Calls ``ring`` for every wake-up that arrives. A database that is away costs nothing but it.

    ``connect`` opens a connection past a pooler, which would not pass notifications on.
    """

    def __init__(self, *, connect: Callable[[], Connection], ring: Callable[[], None]) -> None:
        self._connect = connect
        self._ring = ring
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen_on, name="listening", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no longer; takes up to a second."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _listen_on(self) -> None:
        while not self._stop.is_set():
            try:
                with self._connect() as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    self._ring()
                    self._wait(connection)
            except AWAY as error:
                log.warning("not listening", extra={"error": str(error)[:200]})
                self._stop.wait(_LOOK_UP_S)

    def _wait(self, connection: Connection) -> None:
        while not self._stop.is_set():
            # Several notifications that came together are one.
            for _ in connection.notifies(timeout=_LOOK_UP_S, stop_after=1):
                self._ring()
