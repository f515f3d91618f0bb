"""Every operation of the API, as every role, on a row of one's own project and on a foreign one.

What is expected follows from the policy table alone; the operations come from the OpenAPI
document, and the routes from the URL configuration, so neither can be forgotten here.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from django.db import transaction
from django.urls import get_resolver, resolve
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from leadsend.access import policy
from leadsend.access.models import Role
from leadsend.checks import actions_of, routes_of
from leadsend.testing.personas import make_people
from leadsend.testing.world import KEYS, address_of, make_world
from registry.seeding import seed_registry

METHODS = ("get", "post", "put", "patch", "delete")
ROLES = ("anonymous", "outsider", *Role.values)
# What stops a live workflow needs more than the table says: the row of these tests is live.
OF_LIVE_ROWS = {("delete", "/api/v1/workflows/{id}/"): "workflow.publish"}


@pytest.fixture(scope="module")
def operations():
    document = SchemaGenerator().get_schema(request=None, public=True)
    return [
        (path, method)
        for path, found in document["paths"].items()
        for method in METHODS
        if method in found
    ]


@pytest.fixture
def people(db):
    seed_registry()
    return make_people()


@pytest.fixture
def worlds(people):
    return {
        "own": make_world(people.project, people.ana),
        "foreign": make_world(people.strange_project, people.eve),
    }


@pytest.fixture
def clients(people):
    users = {"anonymous": None, "outsider": people.eve, **people.by_role()}
    return {role: _client(user) for role, user in users.items()}


def test_every_route_of_the_api_is_an_operation_of_the_document(operations):
    routes: Counter[tuple[str, str]] = Counter()
    for address, view in routes_of(get_resolver().url_patterns):
        if address.startswith("/api/v1/"):
            routes.update((_shape(address), method) for method in actions_of(view))

    assert set(routes) == {(_shape(path), method) for path, method in operations}


def test_roles_may_what_the_table_says_and_nothing_else(operations, worlds, clients):
    holes, asked = [], 0
    for path, method in operations:
        for which in ("own", "foreign") if "{" in path else ("own",):
            address = address_of(path, worlds[which])
            permission = OF_LIVE_ROWS.get((method, path)) or _permission(address, method)
            for role in ROLES:
                status = _status(clients[role], method, address)
                wanted = _wanted(role, permission, which, has_row="{" in path)
                asked += 1
                if not _fits(status, wanted):
                    holes.append(f"{role} {method} {address} ({which}): {status}, not {wanted}")

    assert holes == []
    assert asked >= 7 * len(operations)


def test_lists_hold_no_foreign_rows(operations, people, worlds, clients):
    for path, method in operations:
        if method != "get" or "{" in path:
            continue
        name = path.split("/")[3]
        for role in ROLES[1:]:
            body = clients[role].get(path).content.decode()
            other = worlds["own" if role == "outsider" else "foreign"]
            assert name in KEYS or other[name] not in body, (role, path)


def test_rows_are_not_created_in_foreign_projects(operations, people, worlds, clients):
    foreign = worlds["foreign"]
    for path, method in operations:
        if method != "post" or "{" in path:
            continue
        for project in (str(people.strange_project.pk), people.strange_project.slug):
            body = {**_body(path.split("/")[3], foreign, people), "project": project}
            status = _status(clients["admin"], method, path, body)
            assert status in {400, 403, 404}, (path, status)


def test_rows_are_created_in_the_own_project(people, worlds, clients):
    made = {}
    for name in ("workflows", "versions", "variables", "credentials", "tokens", "teams"):
        body = _body(name, worlds["own"], people)
        made[name] = _status(clients["admin"], "post", f"/api/v1/{name}/", body)

    assert made == dict.fromkeys(made, 201)


def _body(name, world, people):
    bodies = {
        "workflows": {"name": "New", "steps": []},
        "versions": {"workflow_id": world["workflows"]},
        "variables": {
            "workflow_id": world["workflows"],
            "key": "fresh",
            "type": "text",
            "value": "x",
        },
        "steps": {"version_id": world["versions"], "kind": "end"},
        "edges": {"from_step_id": world["steps"], "to_step_id": world["steps"]},
        "credentials": {"name": "New", "type": "bearer", "fields": {"token": "t" * 20}},
        "tokens": {"name": "New", "scopes": ["read"]},
        "teams": {"key": "new", "name": "New"},
        "members": {"email": "eve@example.com", "role": "viewer"},
        "tasks": {"title": "New"},
        "subscriptions": {"workflow_id": world["workflows"], "trigger_key": "manual"},
    }
    return bodies.get(name, {})


def _client(user):
    client = APIClient(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
    return client


def _status(client, method, address, body=None):
    """Send a request and take back what it did."""
    with transaction.atomic():
        data = {} if method == "get" else (body or {})
        answer = getattr(client, method)(address, data)
        transaction.set_rollback(True)
    return answer.status_code


def _wanted(role, permission, which, *, has_row):
    level = policy.PERMISSIONS[permission]
    if level == policy.PUBLIC:
        return "allowed"
    if role == "anonymous":
        return 401
    if level == policy.SIGNED_IN:
        return "allowed"
    if has_row and (which == "foreign") is not (role == "outsider"):
        return 404
    # The outsider is admin of the foreign project.
    rank = Role.values.index(Role.ADMIN if role == "outsider" else role)
    is_enough = level in Role.values and rank >= Role.values.index(level)
    return "allowed" if is_enough else 403


def _fits(status, wanted):
    if wanted == "allowed":
        return status < 500 and status not in {401, 403, 404, 405}
    return status == wanted


def _permission(address, method):
    view: Any = resolve(address).func
    return view.cls.policy[actions_of(view)[method]]


def _shape(address):
    """Return an address with every variable as ``*``."""
    plain = re.sub(r"\(\?P<\w+>(?:\[[^\]]*\]|[^()])*\)", "*", address)
    return re.sub(r"\{\w+\}", "*", plain).replace("^", "").replace("$", "").replace("\\Z", "")
