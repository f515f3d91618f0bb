"""People, documents and storages for the tests of workflows."""

from __future__ import annotations

import copy
import socket

import pytest

from leadsend.access.models import Membership, Project, Role, User
from leadsend.testing import object_storage
from workflows import drafts
from workflows.signals import workflow_published, workflow_retired

OVERVIEW = {
    "name": "Lead Processing Pipeline",
    "steps": [
        {"kind": "action", "action_key": "email_send", "cfg": {"template": "welcome"}},
        {"kind": "action", "action_key": "task_create", "cfg": {"assignee": "sales_team"}},
    ],
    "triggers": ["lead_sources_db_change"],
}


@pytest.fixture
def overview():
    """The payload of the overview document, word for word."""
    return copy.deepcopy(OVERVIEW)


@pytest.fixture
def project(db):
    return Project.objects.create(name="Sales", slug="sales")


@pytest.fixture
def dev(project):
    user = User.objects.create_user("dev@example.org", name="Dev")
    Membership.objects.create(project=project, user=user, role=Role.ADMIN)
    return user


@pytest.fixture(autouse=True)
def only_this_app(monkeypatch):
    """Leave out the receivers of the apps above: what they set up is tested there."""
    for signal in (workflow_published, workflow_retired):
        monkeypatch.setattr(signal, "receivers", [])


@pytest.fixture(autouse=True)
def objects_on_files(tmp_path):
    """Published documents as files of this test alone."""
    with object_storage.objects_on_files(tmp_path / "objects"):
        yield tmp_path / "objects"


@pytest.fixture
def workflow(project, dev, overview):
    return drafts.create_workflow(project, dev, overview)


@pytest.fixture(scope="session")
def s3_server():
    """A real HTTP server on loopback that speaks S3; returns its address."""
    with object_storage.running_s3() as address:
        yield address


@pytest.fixture
def objects_on_s3(s3_server, objects_on_files):
    """Published documents in a fresh bucket; returns a client of it."""
    with object_storage.objects_on_s3(s3_server) as client:
        yield client


@pytest.fixture
def s3_away(objects_on_files):
    """An object storage at an address where nobody answers."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with object_storage.objects_on_s3(address, has_bucket=False):
        yield
