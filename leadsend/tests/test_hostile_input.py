"""Hostile requests get an answer of the fourth hundred, and the next friend is served as ever."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import transaction
from rest_framework.test import APIClient

from leadsend.testing import hostile
from leadsend.testing.factories import make_webhook_endpoint
from leadsend.testing.personas import api_of, make_people
from leadsend.testing.world import make_world
from registry.seeding import seed_registry
from workflows.models import Workflow

pytestmark = pytest.mark.django_db

BODIES = list(hostile.bodies())
METHODS = ("PATCH", "DELETE", "POST", "PUT", "OPTIONS", "TRACE", "PROPFIND")
# Fields and lists share the values out: each gets every fourth one, each value meets many of them.
SHARE = 4
ENVELOPE = {"code", "message", "problems"}


@pytest.fixture
def people():
    seed_registry()
    return make_people()


@pytest.fixture
def world(people):
    return make_world(people.project, people.ana)


@pytest.fixture
def friend(people):
    return api_of(people.ana)


def test_there_are_enough_of_them():
    assert len({name for name, _, _ in BODIES}) >= 150


@pytest.mark.parametrize("name", ["workflows", "credentials", "variables", "tasks", "steps"])
def test_no_body_breaks_an_endpoint(name, people, world, friend):
    url = f"/api/v1/{name}/"
    bad = [
        (label, status)
        for label, body, kind in BODIES
        if (status := _status(friend, url, body, kind)) not in range(200, 500)
    ]

    assert bad == []
    assert friend.get(url).status_code == 200


def test_no_body_breaks_a_hook(people, world):
    endpoint = make_webhook_endpoint(
        workflow=_workflow(world), methods=["POST", "PUT", "GET"], token="hostile-token-0123456789"
    )
    client = APIClient(raise_request_exception=False)
    bad = [
        (label, status)
        for label, body, kind in BODIES
        if (status := _status(client, f"/hooks/{endpoint.token}", body, kind))
        not in range(200, 500)
    ]

    assert bad == []


def test_no_value_breaks_a_field(people, world, friend):
    forms: dict[str, dict[str, Any]] = {
        "workflows": {"name": "x", "description": "", "tags": [], "steps": [], "triggers": []},
        "tokens": {"name": "x", "scopes": ["read"], "days": 3, "user_id": None, "project": "x"},
        "credentials": {"name": "x", "type": "bearer", "fields": {"token": "x"}},
        "variables": {"workflow_id": world["workflows"], "key": "k", "type": "text", "value": 1},
        "versions": {"workflow_id": world["workflows"], "version_num": 2, "s3_key": "x"},
        "steps": {"version_id": world["versions"], "kind": "action", "cfg": {}, "retry": {}},
        "edges": {"from_step_id": world["steps"], "to_step_id": world["steps"], "branch_key": "x"},
        "members": {"email": "a@example.com", "role": "viewer"},
        "teams": {"key": "k", "name": "x", "member_ids": []},
        "tasks": {"title": "x", "description": "", "due_at": None, "assignee": "", "priority": ""},
    }
    bad = []
    fields = [(resource, field) for resource, form in forms.items() for field in form]
    for at, (resource, field) in enumerate(fields):
        for label, value in list(hostile.field_values().items())[at % SHARE :: SHARE]:
            body = json.dumps({**forms[resource], field: value}).encode()
            status = _status(friend, f"/api/v1/{resource}/", body, hostile.JSON)
            if status not in range(200, 500):
                bad.append((resource, field, label, status))

    assert bad == []


def test_no_query_breaks_a_list(people, world, friend):
    bad = []
    for at, resource in enumerate(world):
        for query in hostile.queries()[at % SHARE :: SHARE]:
            status = _answer(friend, "GET", f"/api/v1/{resource}/?{query}").status_code
            if status not in {200, 400, 404}:  # 404: not in this format
                bad.append((resource, query[:60], status))

    assert bad == []


def test_a_look_up_into_other_tables_changes_nothing(people, world, friend):
    whole = friend.get("/api/v1/members/").json()

    narrowed = friend.get("/api/v1/members/?user__password__startswith=argon").json()

    assert narrowed == whole


def test_no_address_breaks_a_resource(people, world, friend):
    bad = []
    for at, resource in enumerate(world):
        for path in hostile.paths()[at % SHARE :: SHARE]:
            for method in ("GET", METHODS[at % len(METHODS)]):
                answer = _answer(friend, method, f"/api/v1/{resource}/{path}", b"{}", hostile.JSON)
                if answer.status_code not in {301, 403, 404, 405}:
                    bad.append((resource, method, path[:40], answer.status_code))

    assert bad == []


def test_no_header_breaks_anything(people, world):
    stranger = APIClient(raise_request_exception=False)
    bad = []
    for extra in hostile.headers():
        for method, path in [("GET", "workflows/"), ("POST", "tokens/"), ("GET", "unicorns/")]:
            answer = _answer(stranger, method, f"/api/v1/{path}", b"{}", hostile.JSON, **extra)
            if answer.status_code not in range(400, 500):
                bad.append((extra, method, answer.status_code))

    assert bad == []


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{", hostile.JSON, 400, "unreadable"),
        (b"[" * 100_000, hostile.JSON, 400, "unreadable"),
        (b'{"name": 1e400}', hostile.JSON, 400, "unreadable"),
        (b"\xff", hostile.JSON, 400, "unreadable"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "unsupported_content_type"),
        (b"x", "multipart/form-data; boundary=b", 415, "unsupported_content_type"),
        (b" " * (hostile.LIMIT + 1), hostile.JSON, 413, "too_large"),
    ],
)
def test_a_refusal_says_what_is_wrong(friend, body, kind, status, code):
    answer = _answer(friend, "POST", "/api/v1/teams/", body, kind)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == ENVELOPE


def test_what_postgresql_cannot_store_is_replaced(friend):
    body = b'{"key": "odd", "name": "a\\u0000b\\ud800c \\u202e"}'
    made = friend.generic("POST", "/api/v1/teams/", body, content_type=hostile.JSON)

    assert made.status_code == 201
    shown = friend.get(f"/api/v1/teams/{made.json()['id']}/").json()
    assert shown["name"] == "a\ufffdb\ufffdc \u202e"


def _workflow(world):
    return Workflow.objects.get(pk=world["workflows"])


def _status(client, url, body, kind):
    answer = _answer(client, "POST", url, body, kind)
    if answer.status_code >= 400:
        assert set(answer.json()) == ENVELOPE, answer.content
    return answer.status_code


def _answer(client, method, url, body=b"", kind="", **extra):
    """Send a request and take back what it did."""
    with transaction.atomic():
        answer = client.generic(method, url, body, content_type=kind, **extra)
        transaction.set_rollback(True)
    return answer
