"""People, documents and storages for the tests of workflows."""

from __future__ import annotations

import copy
import socket

import boto3
import pytest
from botocore.config import Config
from django.core.files.storage import storages
from django.test import override_settings
from moto.server import ThreadedMotoServer

from leadsend.access.models import Membership, Project, Role, User
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
    options = {"location": str(tmp_path / "objects"), "allow_overwrite": True}
    backend = {"BACKEND": "leadsend.lib.objects.DurableFiles", "OPTIONS": options}
    with override_settings(STORAGES=_with_objects(backend)):
        yield tmp_path / "objects"


@pytest.fixture
def workflow(project, dev, overview):
    return drafts.create_workflow(project, dev, overview)


def _with_objects(backend):
    return {name: storages.backends[name] for name in storages.backends} | {"objects": backend}


@pytest.fixture(scope="session")
def s3_server():
    """A real HTTP server on loopback that speaks S3; returns its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def objects_on_s3(s3_server, objects_on_files):
    """Published documents in a fresh bucket; returns a client of it."""
    client = boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1", **KEYS)
    client.create_bucket(Bucket="workflows")
    with override_settings(STORAGES=_with_objects(_s3(s3_server))):
        yield client
    _drop_bucket(client)


@pytest.fixture
def s3_away(objects_on_files):
    """An object storage at an address where nobody answers."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with override_settings(STORAGES=_with_objects(_s3(address))):
        yield


KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


def _s3(address):
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": "workflows",
            "endpoint_url": address,
            "access_key": KEYS["aws_access_key_id"],
            "secret_key": KEYS["aws_secret_access_key"],
            "region_name": "us-east-1",
            "addressing_style": "path",
            "file_overwrite": True,
            "client_config": Config(
                connect_timeout=1,
                retries={"max_attempts": 0},
                s3={"addressing_style": "path"},
            ),
        },
    }


def _drop_bucket(client):
    if any(bucket["Name"] == "workflows" for bucket in client.list_buckets()["Buckets"]):
        for item in client.list_objects_v2(Bucket="workflows").get("Contents", []):
            client.delete_object(Bucket="workflows", Key=item["Key"])
        client.delete_bucket(Bucket="workflows")
