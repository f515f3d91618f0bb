"""From claimed rows to runs in memory: plans, variables, contact, and what earlier claims did."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from leadsend.lib.errors import ConfigurationError, LeadSendError
from leadsend.lib.input_guard import clean_text
from leadsend.lib.postgres import AWAY, Connection
from leadsend.lib.redaction import forgetting_secrets
from registry.sdk.catalog_view import CatalogView
from runtime import fetching
from runtime.calendars import Calendars
from runtime.claiming import Claimed
from runtime.engine.state import RunInfo, RunState
from runtime.fetching import has_large
from runtime.loading import load_known
from runtime.plans import NO_DOCUMENT, Compiled, Plans, secrets_of
from runtime.runs import Run

log = logging.getLogger(__name__)

_LONGEST_BUSINESS_KEY: Final = 300
_ANY_EVENT: Final = {"email": "event.email", "name": "event.name"}


@dataclass(slots=True, kw_only=True)
class Begun:
    """What came of a claim: runs, what could not be made ready, and what has to come later.

    ``broken`` is a bug of ours, in one of many: it must not take the others along. Of ``late`` the
    object storage did not give the values now.
    """

    runs: list[Run] = field(default_factory=list)
    broken: list[Claimed] = field(default_factory=list)
    late: list[Claimed] = field(default_factory=list)
    large_bytes: Mapping[UUID, int] = field(default_factory=dict)


def begin(
    connection: Connection,
    claimed: Sequence[Claimed],
    *,
    plans: Plans,
    catalog: CatalogView,
    clock: Callable[[], datetime],
    room_bytes: int = fetching.MOST_HELD_BYTES,
    calendars: Calendars | None = None,
) -> Begun:
    """Return the runs, ready to be advanced; queries once, fetches large values for a moment."""
    compiled = plans.of_versions(connection, [row.version_id for row in claimed])
    known: fetching.Steps = load_known(
        connection,
        {
            row.id: (compiled.get(row.version_id) or NO_DOCUMENT).plan
            for row in claimed
            if not row.is_fresh
        },
        retries=[row.id for row in claimed if row.retry_of is not None],
    )
    begun = Begun()
    lost: Mapping[UUID, LeadSendError] = {}
    if any(has_large(row, known.get(row.id, ())) for row in claimed):
        brought = fetching.bring_in(claimed, known, room_bytes=room_bytes)
        claimed, known, lost, begun.late = brought.rows, brought.steps, brought.lost, brought.late
        begun.large_bytes = brought.large_bytes
    for row in claimed:
        try:
            plan = compiled.get(row.version_id) or NO_DOCUMENT
            if row.id in lost:
                plan = _unreadable(plan, lost[row.id])
            run = _run(row, plan, catalog, clock)
            if plan.plan.calendars and calendars is not None:
                found = calendars.known(connection, plan.plan.calendars)
                run.state.run = replace(run.state.run, calendars=found)
            run.load(known.get(row.id, ()))
            run.large_bytes = begun.large_bytes.get(row.id, 0)
            begun.runs.append(run)
        except AWAY:
            raise
        except Exception:
            log.exception("execution not begun", extra={"execution": str(row.id)})
            begun.broken.append(row)
    return begun


def _unreadable(compiled: Compiled, error: LeadSendError) -> Compiled:
    return replace(compiled, error=ConfigurationError(error.message, code=error.code))


def _run(
    claimed: Claimed, compiled: Compiled, catalog: CatalogView, clock: Callable[[], datetime]
) -> Run:
    compiled, secrets = _with_secrets(claimed, compiled)
    info = RunInfo(
        execution_id=claimed.id,
        workflow_id=claimed.workflow_id,
        project_id=claimed.project_id,
        workflow_name=compiled.name,
        run_url=f"{settings.PUBLIC_URL}/runs/{claimed.id}/",
        started_at=claimed.started_at,
        event=claimed.event,
        request=claimed.request,
        variables=secrets,
        contact=_contact(claimed, catalog),
        trigger_key=claimed.trigger_key,
    )
    run = Run(
        claimed=claimed,
        compiled=compiled,
        state=RunState(run=info, cancel_requested=claimed.cancel_requested),
        clock=clock,
        secrets=tuple(str(value) for value in secrets.values() if value),
    )
    run.state_bytes = claimed.data_bytes
    run.business_key = claimed.business_key or _business_key(run)
    return run


def _with_secrets(claimed: Claimed, compiled: Compiled) -> tuple[Compiled, Mapping[str, Any]]:
    if not compiled.has_secrets or compiled.error:
        return compiled, {}
    try:
        with forgetting_secrets():
            return compiled, secrets_of(claimed.workflow_id, compiled)
    except ConfigurationError as error:
        broken = Compiled(
            name=compiled.name, document=compiled.document, plan=compiled.plan, error=error
        )
        return broken, {}


def _contact(claimed: Claimed, catalog: CatalogView) -> dict[str, str]:
    kind = catalog.trigger_type(claimed.trigger_key)
    paths = kind.contact if kind and kind.contact else _ANY_EVENT
    return {name: _text_at(claimed.event, path) for name, path in paths.items()}


def _text_at(event: Any, path: str) -> str:
    value: Any = {"event": event}
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""


def _business_key(run: Run) -> str:
    if run.compiled.business_key is None:
        return ""
    try:
        with run.hiding_secrets():
            value = run.compiled.business_key(run.scope())
    except LeadSendError as error:
        log.info("no business key", extra={"execution": str(run.id), "error": error.message[:200]})
        return ""
    return "" if value is None else clean_text(str(value))[:_LONGEST_BUSINESS_KEY]
