"""The example of the overview document, word for word, on real input."""

from __future__ import annotations

import json
from typing import Any

import pytest

from leadsend.testing.stack import until
from leadsend.tests.scenarios.conftest import World
from leadsend.trust.senders import post_signed

pytestmark = pytest.mark.scenario

STEPS = [
    {"kind": "action", "action_key": "email_send", "cfg": {"template": "welcome"}},
    {"kind": "action", "action_key": "task_create", "cfg": {"assignee": "sales_team"}},
]
OVERVIEW = {
    "name": "Lead Processing Pipeline",
    "steps": STEPS,
    "triggers": ["lead_sources_db_change"],
}


def test_a_row_in_lead_sources_sends_the_mail_and_makes_the_task(world: World) -> None:
    created = create(world, OVERVIEW)
    workflow_id = created["id"]

    world.stack.sql(
        "INSERT INTO lead_sources (name, email, score) VALUES ('Ada Byron', 'ada.byron@example.com', 80)"
    )

    run = finished_run(world, workflow_id)
    assert run["status"] == "SUCCESS", run
    assert run["trigger_type"] == "database"
    assert run["context_data"]["new"]["email"] == "ada.byron@example.com"
    mails = until(lambda: mails_to(world, "ada.byron@example.com"), "the mail arrives")
    assert len(mails) == 1
    expect_task_of_sales_team(world, run)
    expect_steps(world, run)
    expect_same_content_everywhere(world, workflow_id)


def test_a_signed_webhook_starts_the_same_steps_once(world: World) -> None:
    created = create(world, {"name": "By webhook", "steps": STEPS, "triggers": ["webhook"]})
    endpoint = created["webhook_endpoints"][0]
    lead = {"name": "Grace Hopper", "email": "grace@example.com", "score": 70}

    first = post_signed(endpoint["url"], endpoint["auth"]["secret"], "msg_1", lead)
    second = post_signed(endpoint["url"], endpoint["auth"]["secret"], "msg_1", lead)

    assert (first, second) == (202, 200)
    run = finished_run(world, created["id"])
    assert run["status"] == "SUCCESS", run
    assert run["trigger_type"] == "webhook"
    assert len(runs_of(world, created["id"])) == 1
    until(lambda: mails_to(world, "grace@example.com"), "the mail arrives")
    expect_task_of_sales_team(world, run)


def test_a_schedule_starts_a_workflow_at_the_full_minute(world: World) -> None:
    created = create(
        world,
        {
            "name": "Every minute",
            "triggers": [{"id": "tick", "trigger_key": "schedule", "cfg": {"cron": "* * * * *"}}],
            "steps": [
                {
                    "kind": "action",
                    "action_key": "email_send",
                    "cfg": {
                        "to": "team@example.com",
                        "subject": "Tick of {{ event.due_at }}",
                        "text": "It is time.",
                    },
                },
                {
                    "kind": "action",
                    "action_key": "task_create",
                    "cfg": {"assignee": "sales_team", "title": "Look at the leads"},
                },
            ],
        },
    )

    run = finished_run(world, created["id"], limit_s=75)

    assert run["status"] == "SUCCESS", run
    assert run["trigger_type"] == "schedule"
    assert (
        run["context_data"]["due_at"].rstrip("Z").endswith(":00")
        or ":00+00:00" in (run["context_data"]["due_at"])
    )
    until(lambda: mails_to(world, "team@example.com"), "the mail arrives")


def test_the_five_calls_of_the_overview_document_work_in_their_order(world: World) -> None:
    definition = call(
        world,
        "workflows/",
        {
            "name": "Lead Processing",
            "description": "Process new leads",
            "category": "automation",
            "is_active": True,
        },
    )
    version = call(
        world,
        "versions/",
        {
            "workflow_id": definition["id"],
            "version_num": 1,
            "s3_key": f"s3://workflows/{definition['id']}/v1.json",
        },
    )
    first = call(
        world,
        "steps/",
        {
            "version_id": version["id"],
            "kind": "action",
            "action_key": "task_management",
            "cfg": {"operation": "create", "title": "Follow up lead"},
        },
    )
    second = call(
        world,
        "steps/",
        {
            "version_id": version["id"],
            "kind": "action",
            "action_key": "email_send",
            "cfg": {"template": "welcome"},
        },
    )
    call(
        world,
        "edges/",
        {"from_step_id": first["id"], "to_step_id": second["id"], "branch_key": "default"},
    )
    call(
        world,
        "subscriptions/",
        {
            "workflow_id": definition["id"],
            "trigger_key": "lead_sources_db_change",
            "filter_conditions": {
                "all": [{"left": "{{ event.new.name }}", "op": "eq", "right": "Five Calls"}]
            },
        },
    )

    world.stack.sql(
        "INSERT INTO lead_sources (name, email) VALUES ('Five Calls', 'five@example.com')"
    )

    run = finished_run(world, definition["id"])
    assert run["status"] == "SUCCESS", run
    assert run["version_id"] == version["id"]
    expect_same_content_everywhere(world, definition["id"])


def test_an_odd_row_does_not_stop_those_after_it(world: World) -> None:
    created = create(world, {"name": "Odd rows", "steps": STEPS, "triggers": OVERVIEW["triggers"]})

    world.stack.sql("INSERT INTO lead_sources (name, email) VALUES ('No address', NULL)")
    world.stack.sql(
        "INSERT INTO lead_sources (name, email) VALUES (%s, 'odd@example.com')", "<b>\u202e Zoë 💡"
    )

    done = until(lambda: ended_runs(world, created["id"], count=2), "both runs end")
    assert sorted(run["status"] for run in done) == ["FAILED", "SUCCESS"]
    failed = next(run for run in done if run["status"] == "FAILED")
    assert failed["error"]["message"]


def create(world: World, document: dict[str, Any]) -> dict[str, Any]:
    return call(world, "workflows/", {**document, "publish": True})


def call(world: World, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = world.stack.request("POST", f"/api/v1/{path}", body, token=world.token)
    assert answer.status == 201, answer
    created: dict[str, Any] = answer.body
    return created


def runs_of(world: World, workflow_id: str) -> list[dict[str, Any]]:
    path = f"/api/v1/executions/?workflow={workflow_id}"
    answer = world.stack.request("GET", path, token=world.token)
    assert answer.status == 200, answer
    results: list[dict[str, Any]] = answer.body["results"]
    return results


def ended_runs(world: World, workflow_id: str, *, count: int) -> list[dict[str, Any]]:
    ended = [run for run in runs_of(world, workflow_id) if run["ended_at"]]
    return ended if len(ended) >= count else []


def finished_run(world: World, workflow_id: str, *, limit_s: float = 30) -> dict[str, Any]:
    ended = until(
        lambda: ended_runs(world, workflow_id, count=1), "a run has ended", limit_s=limit_s
    )
    answer = world.stack.request("GET", f"/api/v1/executions/{ended[-1]['id']}/", token=world.token)
    assert answer.status == 200, answer
    run: dict[str, Any] = answer.body
    return run


def mails_to(world: World, address: str) -> list[Any]:
    return [mail for mail in world.box.mails if address in str(mail["To"])]


def expect_task_of_sales_team(world: World, run: dict[str, Any]) -> None:
    rows = world.stack.sql(
        "SELECT t.status, m.key FROM tasks t JOIN team m ON m.id = t.team_id"
        " WHERE t.execution_id = %s",
        run["id"],
    )
    assert rows == [("PENDING", "sales_team")]


def expect_steps(world: World, run: dict[str, Any]) -> None:
    answer = world.stack.request("GET", f"/api/v1/executions/{run['id']}/steps/", token=world.token)
    steps = answer.body["results"] if isinstance(answer.body, dict) else answer.body
    assert [step["status"] for step in steps] == ["SUCCESS", "SUCCESS"]
    assert all(step["result_data"] for step in steps)
    assert all(step["execution_time"] >= 0 for step in steps)
    viewed = world.stack.sql("SELECT count(*) FROM step_run WHERE run_id = %s", run["id"])
    assert viewed == [(2,)]


def expect_same_content_everywhere(world: World, workflow_id: str) -> None:
    (definition, number), *_ = world.stack.sql(
        "SELECT definition::text, version_num FROM workflow_latest_json WHERE workflow_id = %s",
        workflow_id,
    )
    (document, s3_key), *_ = world.stack.sql(
        "SELECT document, s3_key FROM workflow_version WHERE workflow_id = %s AND version_num = %s",
        workflow_id,
        number,
    )
    stored = world.stored_object(f"{workflow_id}/v{number}.json")
    assert s3_key == f"s3://workflows/{workflow_id}/v{number}.json"
    assert stored == document.encode()
    assert json.loads(definition) == json.loads(stored)
