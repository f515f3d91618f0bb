"""From claimed rows to runs in memory: plans, variables, contact, and what earlier claims did."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.conf import settings

from leadsend.lib.errors import ConfigurationError, LeadSendError
from leadsend.lib.input_guard import clean_text
from leadsend.lib.postgres import AWAY, Connection
from leadsend.lib.redaction import forgetting_secrets
from registry.sdk.catalog_view import CatalogView
from runtime.claiming import Claimed, load_steps
from runtime.engine.state import RunInfo, RunState
from runtime.plans import NO_DOCUMENT, Compiled, Plans, secrets_of
from runtime.runs import Run

log = logging.getLogger(__name__)

_LONGEST_BUSINESS_KEY: Final = 300
_ANY_EVENT: Final = {"email": "event.email", "name": "event.name"}


def begin(
    connection: Connection,
    claimed: Sequence[Claimed],
    *,
    plans: Plans,
    catalog: CatalogView,
    clock: Callable[[], datetime],
) -> tuple[list[Run], list[Claimed]]:
    """Return the runs, ready to be advanced, and what could not be made ready; queries once.

    The latter is a bug of ours, in one of many: it must not take the others along.
    """
    compiled = plans.of_versions(connection, [row.version_id for row in claimed])
    known = load_steps(connection, [row.id for row in claimed if not row.is_fresh])
    runs, broken = [], []
    for row in claimed:
        try:
            run = _run(row, compiled.get(row.version_id) or NO_DOCUMENT, catalog, clock)
            run.load(known.get(row.id, ()))
            runs.append(run)
        except AWAY:
            raise
        except Exception:
            log.exception("execution not begun", extra={"execution": str(row.id)})
            broken.append(row)
    return runs, broken


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
