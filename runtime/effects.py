"""Calling the world: many effects at once, on an event loop of their own.

The loop runs in a thread beside the one that talks to the database, so a slow answer holds nobody
back and a long commit stops no call.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings

from credentials.vault import open_credential_async
from leadsend.lib import clock
from leadsend.lib import mail as mail_building
from leadsend.lib.egress import smtp
from leadsend.lib.egress.client import EgressClient
from leadsend.lib.egress.configured import egress_policy
from leadsend.lib.errors import LeadSendError, PermanentError, RetryableError
from leadsend.lib.postgres import Connection
from leadsend.lib.redaction import forgetting_secrets, redact, redact_text, register_secrets
from registry.sdk.action import Contact, HttpClient, HttpResponse, Mail
from runtime.engine.commands import CallEffect
from runtime.gates import Closed, Gate, Gates
from runtime.runs import Answer, MailRow, Run

log = logging.getLogger(__name__)

MOST_UNDER_WAY: Final = 200
# A call that ends so long after its time limit was not waited for all the time.
_LATE_S: Final = 1.0


class EffectLoop:
    """A thread with an event loop that calls actions and hands their answers to ``answered``.

    ``may_begin`` is asked at the last moment: it says whether the process still surely holds the
    run. ``answered`` is called from the loop's thread.
    """

    def __init__(
        self,
        *,
        answered: Callable[[Answer], None],
        may_begin: Callable[[Run], bool],
        connect: Callable[[], Connection],
        most: int = MOST_UNDER_WAY,
    ) -> None:
        self._answered = answered
        self._may_begin = may_begin
        self._most = most
        self._loop = asyncio.new_event_loop()
        self._tasks: dict[tuple[UUID, str, str | None], asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(most)
        self._http = EgressClient[HttpResponse](egress_policy(), answer=HttpResponse)
        self._gates = Gates(connect)
        self._thread = threading.Thread(target=self._loop.run_forever, name="effects", daemon=True)
        self._thread.start()

    def begin(self, run: Run, call: CallEffect) -> None:
        """Call the action soon; its answer comes once, whatever happens."""
        self._loop.call_soon_threadsafe(self._start, run, call)

    def cut_off(self, run: Run) -> None:
        """Stop the run's calls where they are; each answers as timed out, perhaps done."""
        self._loop.call_soon_threadsafe(self._cancel, run)

    def close(self) -> None:
        """Stop all calls without answers, and end the thread."""
        asyncio.run_coroutine_threadsafe(self._shut_down(), self._loop).result(timeout=5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()

    def _start(self, run: Run, call: CallEffect) -> None:
        key = (run.id, call.step_id, call.item)
        task = self._loop.create_task(self._make(run, call))
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    def _cancel(self, run: Run) -> None:
        for key, task in self._tasks.items():
            if key[0] == run.id:
                task.cancel()

    async def _shut_down(self) -> None:
        tasks = list(self._tasks.values())
        self._answered = lambda answer: None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._http.close()
        self._gates.close()

    async def _make(self, run: Run, call: CallEffect) -> None:
        started_at = run.clock()
        try:
            async with self._slots:
                if not self._may_begin(run):
                    self._answered(_answer(run, call, started_at, begun=False))
                    return
                answer = await self._call(run, call)
        except asyncio.CancelledError:
            error = RetryableError(
                "The run's time limit, or the stop of this process, cut the step off.",
                code="timeout",
                uncertain=True,
            )
            answer = _answer(run, call, started_at, error=error)
        self._answered(answer)

    async def _call(self, run: Run, call: CallEffect) -> Answer:
        started_at, began = run.clock(), clock.monotonic()
        context = Context(run, call, self._http, self._gates)
        with forgetting_secrets():
            register_secrets(run.secrets)
            try:
                async with asyncio.timeout(call.timeout_s):
                    output = redact(await _action(run, call)(context, call.inputs))
                await self._gates.report(context.passed, is_failure=False, began=began)
                return _answer(run, call, started_at, output=output, mails=tuple(context.mails))
            except Closed as closed:
                return _answer(run, call, started_at, closed=closed)
            except LeadSendError as error:
                failure = error
            except TimeoutError:
                failure = RetryableError(
                    f"The step gave no answer within {call.timeout_s:g} s.",
                    code="timeout",
                    uncertain=True,
                )
            except Exception as error:  # noqa: BLE001 - the edge of a step
                failure = _unforeseen(run, call, error)
            _redact_error(failure)
        # A process that was held still fails in all its calls at once: that is not the other side.
        if clock.monotonic() - began <= call.timeout_s + _LATE_S:
            # What a new try cannot help says nothing about the other side.
            is_failure = isinstance(failure, RetryableError)
            await self._gates.report(context.passed, is_failure=is_failure, began=began)
        return _answer(run, call, started_at, error=failure, mails=tuple(context.mails))


class Context:
    """The ActionContext of one call (registry.sdk.action)."""

    def __init__(self, run: Run, call: CallEffect, http: HttpClient, gates: Gates) -> None:
        info = run.state.run
        self.execution_id = info.execution_id
        self.project_id = info.project_id
        self.workflow_id = info.workflow_id
        self.step_id = call.step_id
        self.attempt = call.attempt
        self.idempotency_key = call.idempotency_key
        self.now: datetime = run.claimed.claimed_at
        self.run_url = info.run_url
        self.event = info.event
        self.contact = Contact(
            email=info.contact.get("email") or "", name=info.contact.get("name") or ""
        )
        self.passed: list[Gate] = []
        self.http: HttpClient = GatedHttp(self, http)
        self.mails: list[MailRow] = []
        self._gates = gates
        self._has_begun = False

    @cached_property
    def mail(self) -> Post:
        """Outgoing mail, under this step's key."""
        return Post(self)

    async def secret(self, credential_id: str) -> Mapping[str, str]:
        """Return a credential's decrypted fields; raises ConfigurationError."""
        await self.pass_gate(f"credential:{credential_id}")
        return await open_credential_async(credential_id, project_id=self.project_id)

    async def pass_gate(self, name: str) -> None:
        """Wait for nothing: raises Closed when the effect has to be made later as a whole.

        What has been begun is not broken off: later gates of the same call are only counted.
        """
        gate = Gate(self.project_id, name[:300])
        if gate in self.passed:
            return
        if not self._has_begun:
            await self._gates.pass_through(gate)
        self.passed.append(gate)

    def begins(self) -> None:
        """Note that from now on something may have left."""
        self._has_begun = True


class GatedHttp:
    """Outgoing HTTP of one call, through the gate of each host."""

    def __init__(self, context: Context, http: HttpClient) -> None:
        self._context = context
        self._http = http

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float = 30.0,
    ) -> HttpResponse:
        """Send one request; raises as EgressClient does, and Closed."""
        host = _host_of(url)
        if host:
            await self._context.pass_gate(f"host:{host}")
        self._context.begins()
        return await self._http.request(
            method, url, headers=headers, body=body, timeout_s=timeout_s
        )


class Post:
    """Sends mail by SMTP, or keeps it where no server is set.

    The row that shows the mail is written with the record of the step; its Message-ID is unique, so
    a mail is kept once however often the step is tried.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    async def send(self, mail: Mail) -> dict[str, Any]:
        """Send or keep the mail; returns ``{"message_id", "mode", "subject"}``, see the contract."""
        sender, url = settings.MAIL_FROM, settings.EMAIL_URL
        key = self._context.idempotency_key
        words = mail_building.words_of(mail)
        answer: dict[str, Any] = {
            "message_id": mail_building.message_id(key, sender),
            "mode": "smtp" if url else "outbox",
            "subject": words.subject[: mail_building.LONGEST_SUBJECT],
        }
        if url:
            await self._context.pass_gate(f"host:{_host_of(url)}")
            self._context.begins()
            message = mail_building.build(mail, idempotency_key=key, sender=sender)
            refused = await asyncio.to_thread(smtp.send, message, url)
            answer |= {"refused": refused} if refused else {}
        else:
            mail_building.check(mail, words)
        self._context.mails.append(
            MailRow(
                step_id=self._context.step_id,
                mode=answer["mode"],
                message_id=answer["message_id"],
                sender=sender,
                to=", ".join((mail.to, *mail.cc, *mail.bcc)),
                subject=answer["subject"],
                text=words.text,
                html=words.html,
            )
        )
        return answer


def _host_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""  # The egress guard says what is wrong with it.


def _action(run: Run, call: CallEffect) -> Callable[[Any, Any], Coroutine[Any, Any, Any]]:
    found = run.compiled.plan.by_id[call.step_id].call
    if found is None:
        raise PermanentError(f"Step {call.step_id} is no action.")
    return found.action.run  # type: ignore[return-value] # an Awaitable by contract


def _answer(run: Run, call: CallEffect, started_at: datetime, **what: Any) -> Answer:
    return Answer(run=run, call=call, started_at=started_at, ended_at=run.clock(), **what)


def _unforeseen(run: Run, call: CallEffect, error: Exception) -> LeadSendError:
    where = {"execution": str(run.id), "step": call.step_id}
    log.error("action failed unforeseen", exc_info=error, extra=where)
    return PermanentError(
        f"The step failed in a way its author did not foresee: {error!r}"[:500], code="unexpected"
    )


def _redact_error(error: LeadSendError) -> None:
    error.message = redact_text(error.message)
    with suppress(IndexError):
        error.args = (error.message, *error.args[1:])
