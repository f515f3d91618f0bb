"""What authors of actions test with: a context that records, and a driver for ``run``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from registry.sdk.action import Action, Contact, HttpResponse, Mail

_ID = UUID("01890000-0000-7000-8000-000000000001")
_KEY = UUID("01890000-0000-5000-8000-000000000004")


@dataclass(slots=True)
class FakeHttp:
    """Answers with what is queued, and keeps what was asked; an error in the queue is raised."""

    answers: list[HttpResponse | Exception] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float = 30.0,
    ) -> HttpResponse:
        """Return the next answer, 200 without a body when none is queued."""
        self.requests.append(
            {
                "method": method,
                "url": url,
                "headers": dict(headers or {}),
                "body": body,
                "timeout_s": timeout_s,
            }
        )
        answer = self.answers.pop(0) if self.answers else ok()
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass(slots=True)
class FakeMail:
    """Keeps mails."""

    mails: list[Mail] = field(default_factory=list)

    async def send(self, mail: Mail) -> Mapping[str, Any]:
        """Keep the mail."""
        self.mails.append(mail)
        return {"message_id": "<1@example.com>", "mode": "outbox"}


@dataclass(slots=True, kw_only=True)
class FakeContext:
    """An ActionContext of ordinary values; name what a test is about."""

    execution_id: UUID = _ID
    project_id: UUID = _ID
    workflow_id: UUID = _ID
    step_id: str = "step"
    attempt: int = 1
    idempotency_key: UUID = _KEY
    now: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    run_url: str = "https://leadsend.example/runs/1/"
    event: Any = None
    contact: Contact = field(
        default_factory=lambda: Contact(email="ada@example.com", name="Ada Byron")
    )
    http: FakeHttp = field(default_factory=FakeHttp)
    mail: FakeMail = field(default_factory=FakeMail)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    async def secret(self, credential_id: str) -> Mapping[str, str]:
        """Return the fields that the test gave this credential."""
        return self.secrets[credential_id]


def ok(body: bytes = b"", *, status: int = 200, **headers: str) -> HttpResponse:
    """Return an answer; header names are written with _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse(status=status, headers=named, body=body)


def run_action(action: Action, inputs: Mapping[str, Any], ctx: FakeContext | None = None) -> Any:
    """Run an action to its end and return what it answers."""

    async def call() -> Any:
        return await action.run(ctx or FakeContext(), inputs)

    return asyncio.run(call())
