"""What an action sees that touches nothing: facts of the run, and doors that are shut."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Never
from uuid import UUID

from leadsend.lib.errors import ConfigurationError
from leadsend.lib.ids import idempotency_key
from registry.sdk.action import Contact, HttpResponse, Mail

if TYPE_CHECKING:
    from runtime.engine.state import RunInfo


class PureContext:
    """The ActionContext of pure and transactional actions.

    Sending, and reading a secret, raise ConfigurationError: an action that needs them must say so
    by its delivery class, for the engine commits an intent before those are called.
    """

    def __init__(
        self,
        *,
        run: RunInfo,
        step_id: str,
        attempt: int,
        now: datetime,
        item: str | None = None,
        again: int = 0,
    ) -> None:
        self.run = run
        self.step_id = step_id
        self.attempt = attempt
        self.now = now
        self._place = (item, again)

    @property
    def execution_id(self) -> UUID:
        """The run."""
        return self.run.execution_id

    @property
    def project_id(self) -> UUID:
        """The project that the run belongs to."""
        return self.run.project_id

    @property
    def workflow_id(self) -> UUID:
        """The workflow that runs."""
        return self.run.workflow_id

    @property
    def run_url(self) -> str:
        """The page of the run."""
        return self.run.run_url

    @property
    def event(self) -> Any:
        """The data of the event that started the run."""
        return self.run.event

    @property
    def http(self) -> ClosedDoor:
        """A client that refuses."""
        return ClosedDoor(self.step_id)

    @property
    def mail(self) -> ClosedDoor:
        """A sender that refuses."""
        return ClosedDoor(self.step_id)

    # These cost microseconds, and most pure actions ask for neither.
    @cached_property
    def idempotency_key(self) -> UUID:
        """The key that this step's effect has, the same for every attempt."""
        item, again = self._place
        return idempotency_key(self.execution_id, self.step_id, item, again)

    @cached_property
    def contact(self) -> Contact:
        """Whom the event is about; "" where unknown."""
        known = self.run.contact
        return Contact(email=known.get("email") or "", name=known.get("name") or "")

    async def secret(self, credential_id: str) -> Mapping[str, str]:
        """Refuse, always: raises ConfigurationError."""
        _refuse(self.step_id, f"the connection {credential_id}")


class ClosedDoor:
    """Stands where an HTTP client and a mail sender would."""

    def __init__(self, step_id: str) -> None:
        self._step_id = step_id

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float = 30.0,
    ) -> HttpResponse:
        _refuse(self._step_id, "HTTP")

    async def send(self, mail: Mail) -> Mapping[str, object]:
        _refuse(self._step_id, "mail")


def _refuse(step_id: str, what: str) -> Never:
    raise ConfigurationError(
        f"Step {step_id}: an action declared pure or transactional may not use {what}. "
        "Give the action another delivery class.",
        code="pure_action_reaches_out",
    )
