"""The contract of an action: what one module in ``registry/actions`` hands to the rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID


class Delivery(StrEnum):
    """What an action promises about its effect when a process dies in the middle."""

    TRANSACTIONAL = "transactional"
    IDEMPOTENT_KEY = "idempotent_key"
    NATURAL_IDEMPOTENT = "natural_idempotent"
    AT_MOST_ONCE = "at_most_once"
    AT_LEAST_ONCE = "at_least_once"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how far apart failed attempts are tried again.

    ``attempts`` counts the first try; delays double from ``base_s`` up to ``max_delay_s``, with
    full jitter. ``within_s`` limits the step over all its attempts, from the start of the first.
    """

    attempts: int = 5
    base_s: float = 2.0
    max_delay_s: float = 900.0
    within_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Apply:
    """A write in LeadSend's own database, made inside the commit that records the step.

    ``act`` names the write (``task.create``); ``arguments`` is JSON that the act understands. The
    act's return value becomes the step's output.
    """

    act: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Whom the event is about, as the trigger type's contact paths found it; "" when unknown."""

    email: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """What came back: ``body`` holds the decoded bytes, at most 10 MiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient(Protocol):
    """Outgoing HTTP, behind the egress guard."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float = 30.0,
    ) -> HttpResponse:
        """Send one request. Raises RetryableError (network, time-out) or PermanentError (refused)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One e-mail; ``template`` (a seeded key) fills subject and body unless they are given.

    ``values`` are what the template may name: ``name`` and ``email`` of the contact.
    """

    to: str
    subject: str
    text: str
    html: str = ""
    template: str = ""
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


class MailSender(Protocol):
    """Outgoing mail: an SMTP server, or the outbox where no server is set."""

    async def send(self, mail: Mail) -> Mapping[str, Any]:
        """Send or keep the mail under the step's idempotency key.

        Returns ``{"message_id": str, "mode": "smtp" | "outbox"}``.
        """
        ...


class ActionContext(Protocol):
    """What an action may use while it runs; implemented by the runtime, faked by tests."""

    execution_id: UUID
    project_id: UUID
    workflow_id: UUID
    step_id: str
    attempt: int
    idempotency_key: UUID
    now: datetime
    run_url: str
    event: Any
    contact: Contact

    @property
    def http(self) -> HttpClient:
        """Outgoing HTTP."""
        ...

    @property
    def mail(self) -> MailSender:
        """Outgoing mail."""
        ...

    async def secret(self, credential_id: str) -> Mapping[str, str]:
        """Return a credential's decrypted fields, for this call only."""
        ...


Run = Callable[[ActionContext, Mapping[str, Any]], Awaitable[Any]]
Pretend = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One kind of step that does something; everything else about it is derived from this.

    ``config_schema`` and ``output_schema`` are JSON Schema (2020-12) with the ``x-`` hints of the
    forms. ``sentence`` names config fields in braces: ``Sends "{template}" to {to}``. ``example``
    is a valid config, ``sample_output`` fits ``output_schema``. ``run`` returns JSON, or an
    ``Apply`` when ``delivery`` is transactional. A ``pure`` action and a transactional one never
    suspend: the engine drives their coroutine to its end in one step.
    """

    key: str
    version: int
    title: str
    sentence: str
    description: str
    category: str
    icon: str
    config_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any]
    example: Mapping[str, Any]
    sample_output: Any
    delivery: Delivery
    run: Run
    pretend: Pretend
    pure: bool = False
    aliases: tuple[str, ...] = ()
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_s: float = 30.0
    rate_limit_key: str = ""
    credential_types: tuple[str, ...] = ()
