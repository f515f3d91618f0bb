"""Where the app that knows events says how an execution's event is replayed."""

from __future__ import annotations

from typing import Protocol

from leadsend.access.models import User
from leadsend.lib.errors import Unavailable
from runtime.models import Execution


class Replay(Protocol):
    """Plays an execution's event again and returns the replay's number, from 1."""

    def __call__(self, execution: Execution, *, user: User) -> int:
        """Accept the event again. Raises NotFound when it is no longer kept, Conflict."""


class ReplayHook:
    """Holds the one function; events live in an app above this one."""

    def __init__(self) -> None:
        self._replay: Replay | None = None

    def connect(self, replay: Replay | None) -> None:
        """Set the function; None takes it away."""
        self._replay = replay

    def __call__(self, execution: Execution, *, user: User) -> int:
        """Replay the execution's event. Raises Unavailable when nobody can."""
        if self._replay is None:
            raise Unavailable("This installation cannot replay events.")
        return self._replay(execution, user=user)


replay = ReplayHook()
