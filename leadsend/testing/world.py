"""One row of everything in a project, for tests that go through all of the API."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from leadsend.access import audit
from leadsend.access.models import Project, Team, User
from leadsend.access.tokens import create_token
from leadsend.testing.factories import (
    make_bulk_job,
    make_credential,
    make_document,
    make_event,
    make_execution,
    make_hosted_form,
    make_replay_job,
    make_schedule,
    make_step,
    make_subscription,
    make_task,
    make_webhook_endpoint,
    make_workflow,
)
from runtime import payloads
from triggers.models import WatchedTable
from workflows import creation, drafts

KEYS = {"actions": "set_fields", "trigger-types": "manual", "credential-types": "bearer"}
# What a step gave that is too large for its row; its hash is in an address.
LARGE = b'{"note":"%s"}' % (b"x" * 300_000)
_OTHERS = {"number": "1", "other": "1", "sha256": sha256(LARGE).hexdigest()}
VARIABLES = [{"key": "hot_score", "type": "number", "value": 50}]


def make_world(project: Project, user: User) -> dict[str, str]:
    """Create the rows and return their ids by the resource of the API that shows them.

    The workflow is published and has its next version open, whose step and edge are returned.
    """
    name = f"Lead welcome of {project.slug}"
    document = make_document(name=name, steps=("set_fields", "set_fields"))
    document["variables"] = VARIABLES
    workflow = make_workflow(project=project, user=user, document=document, published=True)
    version = workflow.live_version
    assert version is not None
    event = make_event(project=project)
    execution = make_execution(version=version, status="SUCCESS", trigger_event_id=event.pk)
    make_step(execution, result_data=payloads.put(LARGE, project_id=project.pk))
    token, _ = create_token(user=user, project=project, name="CRM", scopes=["read"])
    rows: dict[str, Any] = {
        "workflows": workflow,
        "versions": version,
        "variables": workflow.variables.get(),
        "credentials": make_credential(project=project, owner=user),
        "tokens": token,
        "projects": project,
        "members": user.memberships.get(project=project),
        "teams": Team.objects.create(project=project, key="closers", name="Closers"),
        "audit": audit.record("project.look", actor=user, project=project, obj=project),
        "subscriptions": make_subscription(workflow=workflow),
        "webhook-endpoints": make_webhook_endpoint(workflow=workflow),
        "forms": make_hosted_form(workflow=workflow),
        "schedules": make_schedule(workflow=workflow),
        "watched-tables": WatchedTable.objects.create(project=project, table_name="not_yet_there"),
        "events": event,
        "executions": execution,
        "bulk-jobs": make_bulk_job(project=project, user=user),
        "replay-jobs": make_replay_job(project=project, user=user),
        "tasks": make_task(project=project),
    }
    opened = creation.open_version(workflow)
    document = drafts.document_of(opened.workflow)
    ids = {name: str(row.pk) for name, row in rows.items()}
    return ids | {
        "steps": str(opened.step_id(document["steps"][0]["id"])),
        "edges": str(opened.edge_id(document["edges"][0])),
    }


def address_of(path: str, world: dict[str, str]) -> str:
    """Return a path of the OpenAPI document with the ids of these rows in place of variables."""
    name = path.split("/")[3]
    first = KEYS.get(name) or world[name]
    address = re.sub(r"\{(id|pk|key|\w+_id)\}", first, path, count=1)
    return re.sub(r"\{(\w+)\}", lambda found: _OTHERS[found[1]], address)
