"""People, workflows and ways in for the tests of triggers."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from leadsend.access.models import Membership, Project, Role, User
from leadsend.lib import clock, ids
from leadsend.testing import object_storage
from triggers import endpoints, signatures
from triggers.models import WebhookEndpoint
from workflows import drafts, publishing

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def nothing_remembered():
    endpoints._kept.clear()


@pytest.fixture(autouse=True)
def objects_on_files(tmp_path):
    """Published documents as files of this test alone."""
    with object_storage.objects_on_files(tmp_path / "objects"):
        yield


@pytest.fixture
def ids_in_order(monkeypatch):
    """Give every id a millisecond of its own: within one their order is left to chance."""
    real, moments = ids.uuid7, itertools.count(int(clock.now().timestamp() * 1000))
    monkeypatch.setattr(ids, "uuid7", lambda at_ms=None: real(at_ms or next(moments)))


@pytest.fixture
def project(db):
    return Project.objects.create(name="Sales", slug="sales")


@pytest.fixture
def dev(project):
    user = User.objects.create_user("dev@example.org", name="Dev")
    Membership.objects.create(project=project, user=user, role=Role.ADMIN)
    return user


@pytest.fixture
def make_workflow(project, dev):
    """Return a function that makes a workflow of one pure step, published with its triggers."""

    def make(*triggers, publish=True, name="Leads", **document):
        fields = [{"path": "who", "value": "{{ now }}"}]
        step = {"kind": "action", "action_key": "set_fields", "cfg": {"fields": fields}}
        draft = {"name": name, "steps": [step], "triggers": list(triggers), **document}
        workflow: Any = drafts.create_workflow(project, dev, draft)
        if publish:
            workflow.version = publishing.publish(workflow, user=dev)
        return workflow

    return make


@pytest.fixture
def make_endpoint(make_workflow):
    """Return a function that makes an endpoint of a draft; its secret is ``.secret``."""

    def make(*, mode="standard_webhooks", cfg=None, methods=("POST",), template=""):
        workflow = make_workflow(publish=False)
        endpoint: Any = WebhookEndpoint(
            project_id=workflow.project_id,
            workflow=workflow,
            trigger_id="webhook",
            token="token-1",
            methods=list(methods),
            auth_mode=mode,
            auth_cfg=cfg or {},
            event_key_template=template,
        )
        endpoint.secret = endpoints.give_secret(endpoint)
        endpoint.save()
        return endpoint

    return make


def signed(secret, body, *, message_id="msg_1", at=None):
    """Return the headers of Standard Webhooks for a body, signed now unless said otherwise."""
    timestamp = int((at or clock.now()).timestamp())
    signature = signatures.sign(secret, message_id=message_id, timestamp=timestamp, body=body)
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature,
    }


def as_body(value):
    return json.dumps(value).encode()


@pytest.fixture
def addresses():
    with override_settings(ROOT_URLCONF="leadsend.urls"):
        yield


@pytest.fixture
def api(dev, addresses):
    client = APIClient()
    client.force_authenticate(dev)
    return client


@pytest.fixture
def viewer(project, addresses):
    user = User.objects.create_user("eve@example.org", name="Eve")
    Membership.objects.create(project=project, user=user, role=Role.VIEWER)
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def stranger(db, addresses):
    client = APIClient()
    client.force_authenticate(User.objects.create_user("joe@example.org", name="Joe"))
    return client
