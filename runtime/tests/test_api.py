from __future__ import annotations

from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from leadsend.access.models import Project, Role, Team
from leadsend.lib import clock, ids
from runtime import payloads
from runtime.api.replaying import replay as replay_hook
from runtime.models import Execution, StepExecution, Task
from runtime.tests.conftest import member

pytestmark = [pytest.mark.django_db, pytest.mark.urls("runtime.tests.urls")]

RUNS = "/api/v1/executions/"
TASKS = "/api/v1/tasks/"
FIELDS = {
    "id", "workflow_id", "version_id", "trigger_event_id", "trigger_type", "status",
    "context_data", "started_at", "ended_at", "execution_time", "error", "business_key",
    "metrics", "output", "retry_of", "created_at",
}  # fmt: skip
STEP_FIELDS = {
    "run_id", "step_id", "status", "attempt", "started_at", "ended_at", "input_data",
    "result_data", "execution_time", "error",
}  # fmt: skip


def client_of(user):
    client = APIClient()
    client.force_login(user)
    return client


@pytest.fixture
def client(ana):
    return client_of(ana)


@pytest.fixture
def vera(project):
    """Who may look, and no more."""
    return client_of(member(project, "vera@example.org", Role.VIEWER))


@pytest.fixture
def eve(db):
    """An administrator of another project."""
    return client_of(
        member(Project.objects.create(name="Other", slug="other"), "eve@example.org", Role.ADMIN)
    )


def post(client, path, data=None):
    return client.post(path, data or {}, format="json")


def ids_of(answer):
    assert answer.status_code == 200, answer.json()
    return [row["id"] for row in answer.json()["results"]]


def test_a_run_has_the_field_names_of_the_overview_document(client, make):
    run = make("FAILED", error={"code": "x", "message": "y", "traceback": "File …"})

    body = client.get(f"{RUNS}{run.pk}/").json()

    assert set(body) >= FIELDS
    assert body["error"] == {"code": "x", "message": "y"}
    assert (body["id"], body["context_data"]) == (str(run.pk), {"email": "ada@example.org"})


def test_steps_come_in_the_order_in_which_they_began(client, make):
    run = make("FAILED")
    now = clock.now()
    make.step(run, "second", "FAILED", started_at=now, error={"code": "x", "traceback": "…"})
    make.step(run, "first", result_data={"a": 1}, started_at=now - timedelta(seconds=9))

    rows = client.get(f"{RUNS}{run.pk}/steps/").json()["results"]

    assert [row["step_id"] for row in rows] == ["first", "second"]
    assert set(rows[0]) >= STEP_FIELDS
    assert (rows[0]["run_id"], rows[0]["result_data"]) == (str(run.pk), {"a": 1})
    assert rows[1]["error"] == {"code": "x"}


def test_runs_are_listed_newest_first_page_by_page(client, make):
    made = [str(make(id=ids.uuid7(1_790_000_000_000 + number)).pk) for number in range(3)]

    first = client.get(RUNS, {"limit": 2})
    second = client.get(RUNS, {"limit": 2, "cursor": first.json()["next"]})

    assert ids_of(first) + ids_of(second) == made[::-1]
    assert second.json()["next"] is None


def test_runs_are_filtered(client, make, workflow):
    failed = make("FAILED", business_key="lead-7", created_at=clock.now() - timedelta(days=3))
    late = make("TIMED_OUT")
    make("SUCCESS")
    yesterday = (clock.now() - timedelta(days=1)).isoformat()

    assert set(ids_of(client.get(f"{RUNS}?status=FAILED&status=TIMED_OUT"))) == {
        str(failed.pk), str(late.pk),
    }  # fmt: skip
    assert ids_of(client.get(RUNS, {"business_key": "lead-7"})) == [str(failed.pk)]
    assert ids_of(client.get(RUNS, {"created_before": yesterday})) == [str(failed.pk)]
    assert len(ids_of(client.get(RUNS, {"created_after": yesterday}))) == 2
    assert len(ids_of(client.get(RUNS, {"workflow": str(workflow.pk)}))) == 3
    assert ids_of(client.get(RUNS, {"workflow_id": str(ids.uuid7())})) == []


@pytest.mark.parametrize(
    "query", ["status=NEVER", "workflow=x", "created_after=yesterday", "cursor=x", "limit=0"]
)
def test_bad_filters_are_answered_in_the_envelope(client, query):
    answer = client.get(f"{RUNS}?{query}")

    assert answer.status_code == 400
    assert {"code", "message", "problems"} <= set(answer.json())


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume"])
def test_a_verb_on_a_run_that_has_ended_is_a_conflict(client, make, verb):
    answer = post(client, f"{RUNS}{make('SUCCESS').pk}/{verb}/")

    assert (answer.status_code, answer.json()["code"]) == (409, "finished")


def test_retry_answers_with_the_new_run_and_twice_with_the_same(client, make):
    failed = make("FAILED")
    make.step(failed, "first")
    make.step(failed, "second", "FAILED")

    first = post(client, f"{RUNS}{failed.pk}/retry/")
    second = post(client, f"{RUNS}{failed.pk}/retry/")

    assert (first.status_code, first.json()["retry_of"]) == (201, str(failed.pk))
    assert first.json()["id"] == second.json()["id"]
    rows = client.get(f"{RUNS}{first.json()['id']}/steps/").json()["results"]
    assert [(row["step_id"], row["is_carried_over"]) for row in rows] == [("first", True)]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"from_step": "nowhere"}, 400),
        ({"version": "newest"}, 400),
        ({"from": "first"}, 400),
        ({"from_step": 7}, 400),
        ({"from_step": "third", "version": "live"}, 201),
    ],
)
def test_what_retry_takes(client, make, data, status):
    answer = post(client, f"{RUNS}{make('FAILED').pk}/retry/", data)

    assert answer.status_code == status


def test_retry_of_a_run_under_way_is_a_conflict(client, make):
    answer = post(client, f"{RUNS}{make('RUNNING').pk}/retry/")

    assert (answer.status_code, answer.json()["code"]) == (409, "not_finished")


def test_a_person_decides_about_an_uncertain_step(client, make):
    run = make("WAITING")
    make.step(run, "second", "UNCERTAIN")
    data = {"step_id": "second", "decision": "done", "reason": "The customer has it."}

    first = post(client, f"{RUNS}{run.pk}/decide/", data)
    second = post(client, f"{RUNS}{run.pk}/decide/", data)
    other = post(client, f"{RUNS}{run.pk}/decide/", data | {"decision": "failed"})

    assert (first.status_code, first.json()["status"]) == (200, "SUCCESS")
    assert second.json() == first.json()
    assert (other.status_code, other.json()["code"]) == (409, "decided")
    assert client.get(f"{RUNS}{run.pk}/").json()["status"] == "PENDING"
    unknown = post(client, f"{RUNS}{run.pk}/decide/", data | {"step_id": "x"})
    assert unknown.status_code == 404
    without_reason = post(client, f"{RUNS}{run.pk}/decide/", data | {"reason": ""})
    assert without_reason.status_code == 400


def test_replay_asks_whoever_knows_events(client, make, ana, monkeypatch):
    run = make("SUCCESS", trigger_event_id=ids.uuid7())
    asked = []

    def replay(execution, *, user):
        asked.append((execution.pk, user))
        return 3

    monkeypatch.setattr(replay_hook, "_replay", None)
    assert post(client, f"{RUNS}{run.pk}/replay/").status_code == 503
    replay_hook.connect(replay)
    answer = post(client, f"{RUNS}{run.pk}/replay/")

    assert (answer.status_code, answer.json()) == (
        202, {"event_id": str(run.trigger_event_id), "replay": 3},
    )  # fmt: skip
    assert asked == [(run.pk, ana)]


VERBS = ["cancel", "pause", "resume", "retry", "decide", "replay"]


@pytest.mark.parametrize("verb", VERBS)
def test_who_may_only_look_changes_nothing(vera, make, verb):
    run = make("PENDING")

    assert post(vera, f"{RUNS}{run.pk}/{verb}/").status_code == 403
    assert vera.get(f"{RUNS}{run.pk}/").json()["status"] == "PENDING"


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_on_what_is_foreign_or_nowhere_answer_404(eve, client, make, verb):
    run = make("PENDING")

    assert post(eve, f"{RUNS}{run.pk}/{verb}/").status_code == 404
    assert post(client, f"{RUNS}{ids.uuid7()}/{verb}/").status_code == 404
    assert Execution.objects.get(pk=run.pk).status == "PENDING"


def test_foreign_runs_and_tasks_are_not_seen(eve, make, project):
    run = make("SUCCESS")
    task = Task.objects.create(project=project, title="Call")

    assert ids_of(eve.get(RUNS)) == ids_of(eve.get(TASKS)) == []
    for path in (f"{RUNS}{run.pk}/", f"{RUNS}{run.pk}/steps/", f"{TASKS}{task.pk}/"):
        assert eve.get(path).status_code == 404
    for verb in ("complete", "cancel", "reassign"):
        assert post(eve, f"{TASKS}{task.pk}/{verb}/").status_code == 404


def test_nobody_is_let_in_without_signing_in(make):
    run = make("SUCCESS")

    for path in (RUNS, TASKS, f"{RUNS}{run.pk}/", f"{RUNS}{run.pk}/steps/"):
        assert APIClient().get(path).status_code in (401, 403)


def test_runs_are_listed_in_a_fixed_number_of_queries(client, make, django_assert_max_num_queries):
    for _ in range(5):
        make("SUCCESS")

    with django_assert_max_num_queries(5):
        assert len(ids_of(client.get(RUNS))) == 5


@pytest.fixture
def team(project, ana):
    team = Team.objects.create(project=project, key="sales_team", name="Sales")
    team.members.add(ana)
    return team


def test_tasks_are_listed_as_mine_by_person_and_by_team(client, project, ana, team):
    by_name = Task.objects.create(project=project, title="a", assignee=ana)
    by_team = Task.objects.create(project=project, title="b", team=team)
    nobodys = Task.objects.create(project=project, title="c", status="CANCELLED")

    mine = {str(by_name.pk), str(by_team.pk)}
    assert set(ids_of(client.get(TASKS, {"mine": "true"}))) == mine
    assert ids_of(client.get(TASKS, {"mine": "false"})) == [str(nobodys.pk)]
    assert ids_of(client.get(TASKS, {"team": "sales_team"})) == [str(by_team.pk)]
    assert set(ids_of(client.get(TASKS, {"status": "PENDING"}))) == mine
    assert ids_of(client.get(TASKS, {"assignee_id": str(ana.pk)})) == [str(by_name.pk)]


def test_a_task_is_made_given_away_and_completed(client, ana, team):
    made = post(client, TASKS, {"title": "Call Ada", "team": "sales_team", "priority": "high"})
    path = f"{TASKS}{made.json()['id']}/"

    assert (made.status_code, made.json()["team"], made.json()["status"]) == (
        201, "sales_team", "PENDING",
    )  # fmt: skip
    given = post(client, f"{path}reassign/", {"assignee_id": str(ana.pk)}).json()
    assert (given["assignee_id"], given["team"]) == (str(ana.pk), None)
    first = post(client, f"{path}complete/", {"answer": {"called": True}})
    second = post(client, f"{path}complete/", {"answer": {"called": True}})
    assert first.json() == second.json() == client.get(path).json()
    assert (first.json()["status"], first.json()["completed_by_id"]) == ("DONE", str(ana.pk))
    assert post(client, f"{path}complete/", {"answer": 1}).status_code == 409
    assert post(client, f"{path}cancel/").status_code == 409


@pytest.mark.parametrize(
    "data",
    [{}, {"title": ""}, {"title": "x", "team": "nowhere"}, {"title": "x", "status": "DONE"},
     {"title": "x", "assignee_id": str(ids.uuid7())}, {"title": "x", "due_at": "soon"},
     {"title": "x", "priority": "urgent"}, {"title": "x" * 301}],
)  # fmt: skip
def test_what_is_no_task_is_refused(client, data):
    assert post(client, TASKS, data).status_code == 400
    assert not Task.objects.exists()


def test_who_may_only_look_completes_no_task(vera, project):
    task = Task.objects.create(project=project, title="Call")

    assert post(vera, f"{TASKS}{task.pk}/complete/").status_code == 403
    assert post(vera, TASKS, {"title": "x"}).status_code == 403
    assert vera.get(f"{TASKS}{task.pk}/").status_code == 200


def test_rows_of_runs_cannot_be_written_directly(client, make):
    run = make("SUCCESS")

    for method in (client.put, client.patch, client.delete):
        assert method(f"{RUNS}{run.pk}/", {}, format="json").status_code in (403, 405)
    assert post(client, RUNS).status_code in (403, 405)
    assert StepExecution.objects.count() == 0


def test_a_replay_with_an_edited_event_is_a_new_run_that_says_where_it_comes_from(client, make):
    done = make("SUCCESS")
    make.step(done, "first")
    body = {"event": {"email": "eve@example.org"}, "version": "original"}

    answer = post(client, f"{RUNS}{done.pk}/replay/", body)

    run = answer.json()
    assert (answer.status_code, run["retry_of"]) == (201, str(done.pk))
    assert run["context_data"] == {"email": "eve@example.org"}
    assert run["lineage"] == {
        "kind": "replay",
        "by": "ana@example.org",
        "from_step": None,
        "run_again": [],
        "version": "original",
        "is_event_edited": True,
        "kept": [],
        "bulk_job": None,
    }
    assert client.get(f"{RUNS}{run['id']}/").json() == run


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("retry", {"event": [1]}),
        ("retry", {"run_again": "first"}),
        ("retry", {"run_again": ["nope"]}),
        ("retry", {"version": "newest"}),
        ("replay", {"from_step": "first"}),
        ("replay", {"event": None}),
    ],
)
def test_a_new_try_that_cannot_be_read_is_refused(client, make, verb, body):
    answer = post(client, f"{RUNS}{make('FAILED').pk}/{verb}/", body)

    assert answer.status_code == 400
    assert Execution.objects.count() == 1


def test_lists_name_large_values_and_a_run_shows_its_own(client, make, eve):
    large = {"note": "x" * 300_000}
    run = make("RUNNING")
    run.context_data = payloads.offloaded(large, project_id=run.project_id)
    run.save()
    make.step(run, "first", "SUCCESS", result_data=run.context_data)

    [listed] = client.get(RUNS).json()["results"]
    [step] = client.get(f"{RUNS}{run.pk}/steps/").json()["results"]
    where = listed["context_data"]["$payload"]

    assert where["bytes"] == len('{"note":""}') + 300_000
    assert step["result_data"] == listed["context_data"]
    assert client.get(f"{RUNS}{run.pk}/").json()["context_data"] == large
    assert client.get(where["url"]).json() == large
    assert client.get(where["url"].replace(where["sha256"], "0" * 64)).status_code == 404
    assert eve.get(where["url"]).status_code == 404
