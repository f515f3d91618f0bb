"""Lists fetch what they show in a fixed number of queries, recorded as data.

Record anew with ``LEADSEND_RECORD=1 pytest leadsend/tests/test_query_counts.py`` and look at the
difference before committing it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leadsend.access import audit
from leadsend.access.models import Membership, Team
from leadsend.access.tokens import create_token
from leadsend.lib import ids
from leadsend.testing.factories import (
    make_bulk_job,
    make_credential,
    make_event,
    make_execution,
    make_hosted_form,
    make_replay_job,
    make_schedule,
    make_subscription,
    make_task,
    make_user,
    make_webhook_endpoint,
    make_workflow,
)
from leadsend.testing.personas import browser_of, make_people
from registry.seeding import seed_registry
from triggers.models import WatchedTable

RECORDED = Path(__file__).with_name("query_counts.json")
FEW, MANY = 3, 30

pytestmark = pytest.mark.django_db


def _workflows(people, number):
    for _ in range(number):
        workflow = make_workflow(
            project=people.project, user=people.ana, document=DOCUMENT, published=True
        )
        make_subscription(workflow=workflow)
        make_webhook_endpoint(workflow=workflow)
        make_hosted_form(workflow=workflow)
        make_schedule(workflow=workflow)
        make_execution(version=workflow.live_version, status="SUCCESS")


def _others(people, number):
    for at in range(number):
        project = people.project
        make_credential(project=project, owner=people.ana)
        create_token(user=people.ana, project=project, name="x", scopes=["read"])
        member = make_user()
        Membership.objects.create(project=project, user=member)
        team = Team.objects.create(project=project, key=f"team-{at}-{number}", name="Team")
        team.members.add(member)
        make_event(project=project)
        make_bulk_job(project=project, user=member)
        make_replay_job(project=project, user=member)
        WatchedTable.objects.create(project=project, table_name=f"t{ids.uuid7().hex}")
        make_task(project=project, team=team, assignee=member)
        audit.record("project.look", actor=people.ana, project=project, obj=project)


DOCUMENT = {
    "name": "Lead",
    "triggers": ["manual"],
    "variables": [{"key": "hot_score", "type": "number", "value": 50}],
    "steps": [
        {
            "kind": "action",
            "action_key": "set_fields",
            "cfg": {"fields": [{"path": "a", "value": "b"}]},
        }
    ]
    * 2,
}
LISTS = [
    "workflows",
    "versions",
    "steps",
    "edges",
    "variables",
    "subscriptions",
    "webhook-endpoints",
    "forms",
    "schedules",
    "replay-jobs",
    "watched-tables",
    "executions",
    "bulk-jobs",
    "events",
    "tasks",
    "credentials",
    "tokens",
    "projects",
    "members",
    "teams",
    "audit",
    "actions",
    "trigger-types",
    "credential-types",
]


def test_lists_take_the_recorded_number_of_queries_however_many_rows():
    seed_registry()
    people = make_people()
    browser = browser_of(people.ana)
    _grow(people, FEW)
    few = {name: _queries(browser, name) for name in LISTS}
    _grow(people, MANY - FEW)
    many = {name: _queries(browser, name) for name in LISTS}

    assert few == many
    if os.environ.get("LEADSEND_RECORD"):
        RECORDED.write_text(json.dumps(many, indent=2, sort_keys=True) + "\n")
    assert many == json.loads(RECORDED.read_text())


def _grow(people, number):
    _workflows(people, number)
    _others(people, number)


def _queries(browser, name):
    with CaptureQueriesContext(connection) as captured:
        answer = browser.get(f"/api/v1/{name}/", {"limit": MANY})
    assert answer.status_code == 200, answer.content
    assert len(answer.json()["results"]) >= 1
    return len(captured)
