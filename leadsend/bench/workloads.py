"""The three workloads of the figures, published in a project of their own, and full inboxes.

W1: hook → one ``set_fields``. W2: hook → condition → set → ``http_request`` → set. W3: hook → ten
``set_fields``. Events are 300 bytes, everything is saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from psycopg import sql

from leadsend.access.models import Project
from leadsend.lib import ids
from leadsend.lib.postgres import Connection, connect
from triggers import endpoints
from triggers.events import INSERT, NewEvent, columns, with_identity
from triggers.models import Subscription, WebhookEndpoint
from workflows import drafts, publishing

EVENT: Final[dict[str, Any]] = {
    "email": "ada.byron@example.org",
    "name": "Ada Byron",
    "score": 80,
    "source": "web",
    "company": "Analytical Engines Ltd",
    "phone": "+44 20 7946 0958",
    "note": "Asked for the price list of the larger engines, and for a visit in the second week of "
    "October.",
    "utm": {"source": "search", "campaign": "engines-autumn"},
}
REQUEST: Final[dict[str, Any]] = {
    "method": "POST",
    "headers": {"host": "127.0.0.1", "content-type": "application/json", "content-length": "300"},
    "query": {},
    "ip": "127.0.0.1",
}
_GROUP: Final = 1000
_TABLES: Final = (
    "tasks",
    "outbox_mail",
    "step_execution",
    "workflow_execution",
    "event_key",
    "trigger_event",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A published workload: where its events go, and how its sender proves itself."""

    name: str
    project_id: UUID
    workflow_id: UUID
    endpoint_id: UUID
    subscription_id: UUID
    token: str
    secret: str

    @property
    def source(self) -> str:
        """The source of its events."""
        return f"webhook:{self.endpoint_id}"


@contextmanager
def flows(*names: str, sink_url: str = "") -> Iterator[list[Flow]]:
    """Publish workloads by name; all that was made for or by them is removed at the end."""
    slug = f"bench-{ids.uuid7().hex[-12:]}"
    project = Project.objects.create(name="Benchmark", slug=slug)
    try:
        yield [_publish(project, name, sink_url) for name in names]
    finally:
        with connect("bench") as connection:
            remove(connection, project.pk)


def fill(connection: Connection, flow: Flow, count: int) -> None:
    """Put so many accepted events into the inbox, as the hook server would, in large groups."""
    for first in range(0, count, _GROUP):
        events = [_event(flow) for _ in range(min(_GROUP, count - first))]
        connection.execute(INSERT, columns(events))


def clear(connection: Connection, project_id: UUID) -> None:
    """Remove what ran, and leave what was published."""
    connection.execute(
        "DELETE FROM trigger_inbox WHERE event_id IN "
        "(SELECT id FROM trigger_event WHERE project_id = %s)",
        [project_id],
    )
    for table in _TABLES:
        statement = sql.SQL("DELETE FROM {} WHERE project_id = %s")
        connection.execute(statement.format(sql.Identifier(table)), [project_id])


def remove(connection: Connection, project_id: UUID) -> None:
    """Remove all rows of a benchmark's project; versions are frozen and stay, switched off."""
    clear(connection, project_id)
    connection.execute(
        "UPDATE workflow_subscription SET is_active = false WHERE project_id = %s", [project_id]
    )
    connection.execute(
        "UPDATE webhook_endpoint SET is_active = false WHERE project_id = %s", [project_id]
    )


def document(name: str, sink_url: str) -> dict[str, Any]:
    """Return a workload's document in shorthand."""
    steps = {
        "W1": [_set(1)],
        "W2": [_worth(), _set(1), _tell(sink_url), _set(2)],
        "W3": [_set(number) for number in range(1, 11)],
    }
    trigger = {"id": "lead", "trigger_key": "webhook"}
    return {"name": f"Benchmark {name}", "triggers": [trigger], "steps": steps[name]}


def _publish(project: Project, name: str, sink_url: str) -> Flow:
    workflow = drafts.create_workflow(project, None, document(name, sink_url))
    publishing.publish(workflow, user=None)
    subscription = Subscription.objects.get(workflow=workflow)
    endpoint = WebhookEndpoint.objects.get(workflow=workflow)

    secret = endpoints.give_secret(endpoint)
    endpoint.save()
    return Flow(
        name=name,
        project_id=project.pk,
        workflow_id=workflow.pk,
        endpoint_id=endpoint.pk,
        subscription_id=subscription.pk,
        token=endpoint.token,
        secret=secret,
    )


def _event(flow: Flow) -> NewEvent:
    event = NewEvent(
        project_id=flow.project_id,
        trigger_key="webhook",
        trigger_type="webhook",
        source=flow.source,
        data=EVENT,
        request=REQUEST,
        dedupe_key=ids.uuid7().hex,
    )
    return with_identity(event)


def _set(number: int) -> dict[str, Any]:
    fields = [{"path": "name", "value": "{{ event.name }}"}]
    return _action(f"s{number}", "set_fields", {"fields": fields})


def _worth() -> dict[str, Any]:
    group = [
        {"left": "{{ event.score }}", "op": "gt", "right": 50},
        {"left": "{{ event.source }}", "op": "eq", "right": "web"},
    ]
    return {"id": "worth", "kind": "condition", "cfg": {"all": group}}


def _tell(sink_url: str) -> dict[str, Any]:
    cfg = {"method": "POST", "url": sink_url, "body": {"email": "{{ event.email }}"}}
    return _action("tell", "http_request", cfg)


def _action(step_id: str, key: str, cfg: dict[str, Any]) -> dict[str, Any]:
    return {"id": step_id, "kind": "action", "action_key": key, "cfg": cfg}
