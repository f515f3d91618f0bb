"""A published workflow of three steps, people, and executions of it in any state."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from leadsend.access.models import Membership, Project, Role, User
from leadsend.lib import clock, ids
from leadsend.testing import object_storage
from runtime.models import FINAL_EXECUTION, Execution, StepExecution
from workflows import drafts, publishing

_CFG = {"fields": [{"path": "seen", "value": True}], "keep": "none"}
DOCUMENT = {
    "name": "Welcome",
    "triggers": ["manual"],
    "steps": [
        {"id": step, "kind": "action", "action_key": "set_fields", "cfg": _CFG}
        for step in ("first", "second", "third")
    ],
}


@pytest.fixture(scope="session")
def s3_server():
    """A real HTTP server on loopback that speaks S3; returns its address."""
    with object_storage.running_s3() as address:
        yield address


@pytest.fixture(params=["files", "s3"])
def objects_stored(request, tmp_path):
    """Run a test with objects on files, and on an S3 server with real boto3."""
    if request.param == "files":
        storage = object_storage.objects_on_files(tmp_path)
    else:
        storage = object_storage.objects_on_s3(request.getfixturevalue("s3_server"))
    with storage:
        yield request.param


@pytest.fixture
def project(db):
    return Project.objects.create(name="Sales", slug="sales")


@pytest.fixture
def ana(project):
    """The operator."""
    return member(project, "ana@example.org", Role.OPERATOR)


@pytest.fixture
def workflow(project):
    dev = member(project, "dev@example.org", Role.ADMIN)
    workflow = drafts.create_workflow(project, dev, DOCUMENT)
    publishing.publish(workflow, user=dev)
    workflow.refresh_from_db()
    return workflow


@pytest.fixture
def make(workflow):
    """Makes executions: ``make("RUNNING", crash_count=1)``; steps by ``make.step``."""

    return _Maker(workflow)


@pytest.fixture
def outside(monkeypatch):
    """What would leave the process: how often the bell rang, and what was told to pages."""
    seen = SimpleNamespace(rings=0, told=[])

    def ring():
        seen.rings += 1

    monkeypatch.setattr("runtime.queueing.ring", ring)
    monkeypatch.setattr("runtime.live.publish", seen.told.extend)
    return seen


class _Maker:
    def __init__(self, workflow):
        self.workflow = workflow
        self.step = make_step

    def __call__(self, status="PENDING", **fields):
        return make_execution(self.workflow, status, **fields)


def member(project, email, role):
    user = User.objects.create_user(email)
    Membership.objects.create(project=project, user=user, role=role)
    return user


def make_execution(workflow, status="PENDING", **fields):
    """Insert an execution; a RUNNING one has a lease for a minute, a final one an end."""
    now = clock.now()
    values = {
        "id": ids.uuid7(),
        "status": status,
        "context_data": {"email": "ada@example.org"},
        "run_after": now,
        "created_at": now,
    }
    if status != "PENDING":
        values |= {"started_at": now, "fence": 1}
    if status == "RUNNING":
        values |= {"lease_until": now + timedelta(minutes=1), "worker_id": ids.uuid7()}
    if status in FINAL_EXECUTION:
        values |= {"ended_at": now, "execution_time": 0}
    return Execution.objects.create(
        project_id=workflow.project_id,
        workflow=workflow,
        version=workflow.live_version,
        **{**values, **fields},
    )


def make_step(execution, step_id, status="SUCCESS", *, attempt=1, **fields):
    """Insert a step row of an execution."""
    now = clock.now()
    values = {
        "kind": "action",
        "action_key": "set_fields",
        "created_at": now - timedelta(seconds=1),
        "started_at": now - timedelta(seconds=1),
        "ended_at": None if status in ("WAITING", "UNCERTAIN", "RUNNING") else now,
    }
    return StepExecution.objects.create(
        id=ids.step_row_id(execution.pk, step_id, fields.get("item"), attempt),
        project_id=execution.project_id,
        execution=execution,
        step_id=step_id,
        status=status,
        attempt=attempt,
        **{**values, **fields},
    )
