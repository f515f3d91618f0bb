from __future__ import annotations

import random
from uuid import UUID, uuid4

import pytest
from rest_framework.test import APIClient

from leadsend.access.models import Membership, Project, Role, User
from workflows.models import Workflow, WorkflowVersion
from workflows.signals import workflow_published

pytestmark = [pytest.mark.django_db, pytest.mark.urls("workflows.tests.urls")]

API = "/api/v1"
SECRET = "canary-7f3a91"
RENAME = {"op": "set_meta", "path": "/name", "value": "Pipeline 2"}


@pytest.fixture
def client(dev):
    client = APIClient()
    client.force_login(dev)
    return client


@pytest.fixture
def made(client, overview):
    return client.post(f"{API}/workflows/", overview, format="json").json()


def test_the_payload_of_the_overview_document_is_answered_with_the_full_document(client, overview):
    answer = client.post(f"{API}/workflows/", overview, format="json")

    body = answer.json()
    assert answer.status_code == 201
    assert [step["id"] for step in body["document"]["steps"]] == ["email_send", "task_create"]
    assert body["document"]["edges"][0]["branch_key"] == "default"
    assert body["document"]["triggers"][0]["trigger_key"] == "lead_sources_db_change"
    assert body["problems"] == []
    assert body["live_version"] is None
    assert str(UUID(body["id"])) == body["id"]


def test_publishing_at_once_answers_with_the_version_and_what_receivers_tell(client, overview):
    def tell(**_):
        return {"webhook_endpoints": [{"id": "1", "url": "http://x/hooks/y"}]}

    workflow_published.connect(tell)
    try:
        body = client.post(f"{API}/workflows/", overview | {"publish": True}, format="json").json()
    finally:
        workflow_published.disconnect(tell)

    assert body["live_version"]["version_num"] == 1
    assert body["webhook_endpoints"] == [{"id": "1", "url": "http://x/hooks/y"}]


def test_what_cannot_be_published_at_once_is_not_created(client, overview):
    overview["steps"][0]["action_key"] = "email_sent"

    answer = client.post(f"{API}/workflows/", overview | {"publish": True}, format="json")

    assert answer.status_code == 400
    body = answer.json()
    assert body["code"] == "has_problems"
    assert body["problems"][0]["path"] == "/steps/0/action_key"
    assert "email_send" in body["problems"][0]["message"]
    assert not Workflow.objects.exists()


@pytest.mark.parametrize(
    "data",
    [[], "x", 1, {}, {"name": 1}, {"name": "a", "steps": {}}, {"name": "a", "publish": "yes"},
     {"name": "a", "project": "nowhere"}, {"name": "a", "steps": [1]}],
)  # fmt: skip
def test_what_is_no_workflow_is_refused_in_the_envelope(client, data):
    answer = client.post(f"{API}/workflows/", data, format="json")

    assert answer.status_code == 400
    assert {"code", "message", "problems"} <= set(answer.json())
    assert not Workflow.objects.exists()


def test_workflows_are_listed_shown_changed_and_binned(client, made):
    path = f"{API}/workflows/{made['id']}/"

    assert [row["id"] for row in client.get(f"{API}/workflows/").json()["results"]] == [made["id"]]
    assert client.get(f"{API}/workflows/?search=nothing").json()["results"] == []
    changed = client.patch(path, {"name": "B", "is_active": False}, format="json").json()
    assert (changed["name"], changed["is_active"], changed["revision"]) == ("B", False, 2)
    assert changed["document"]["name"] == "B"
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.get(f"{API}/workflows/").json()["results"] == []


def test_a_draft_is_changed_by_operations_and_undone(client, made):
    path = f"{API}/workflows/{made['id']}/draft/"

    changed = client.patch(path, {"operations": [RENAME], "revision": 1}, format="json").json()
    undone = client.patch(path, {"operations": changed["undo"], "revision": 2}, format="json")

    assert changed["document"]["name"] == "Pipeline 2"
    assert undone.json()["document"] == made["document"]
    assert client.get(path).json()["revision"] == 3


def test_a_change_on_an_old_revision_answers_409_with_what_changed(client, made):
    path = f"{API}/workflows/{made['id']}/draft/"
    client.patch(path, {"operations": [RENAME], "revision": 1}, format="json")

    answer = client.patch(path, {"operations": [RENAME], "revision": 1}, format="json")

    assert answer.status_code == 409
    assert "Changed the name" in answer.json()["message"]


def test_a_draft_is_replaced(client, made):
    path = f"{API}/workflows/{made['id']}/draft/"

    body = client.put(path, {"document": {"name": "New"}, "revision": 1}, format="json").json()

    assert body["document"]["steps"] == []
    assert "no_steps" in {problem["code"] for problem in body["problems"]}


def test_a_document_is_validated_without_being_saved(client, made):
    path = f"{API}/workflows/{made['id']}/validate/"

    assert client.post(path, {}, format="json").json() == {"problems": []}
    sent = client.post(path, {"document": {"name": "A", "steps": []}}, format="json").json()
    assert "no_steps" in {problem["code"] for problem in sent["problems"]}
    assert Workflow.objects.get().revision == 1


def test_versions_are_published_compared_and_rolled_back(client, made):
    path = f"{API}/workflows/{made['id']}"
    first = client.post(f"{path}/publish/", {"note": "first"}, format="json").json()
    client.patch(f"{path}/draft/", {"operations": [RENAME], "revision": 1}, format="json")
    client.post(f"{path}/publish/", format="json")

    assert first["live_version"]["version_num"] == 1
    rows = client.get(f"{path}/versions/").json()["results"]
    assert [row["version_num"] for row in rows] == [2, 1]
    assert rows[1]["note"] == "first"
    assert client.get(f"{path}/versions/1/").json()["document"] == made["document"]
    assert client.get(f"{path}/versions/1/diff/2/").json()["changes"] == [
        "Changed the name from “Lead Processing Pipeline” to “Pipeline 2”."
    ]
    rolled = client.post(f"{path}/versions/1/rollback/").json()
    assert rolled["live_version"]["version_num"] == 3
    assert client.get(f"{path}/versions/9/").status_code == 404
    assert client.post(f"{path}/publish/", format="json").status_code == 200
    assert client.post(f"{path}/publish/", format="json").status_code == 409


def test_the_five_call_creation_flow_works_in_its_order_and_field_names(client):
    data = {"name": "Lead Processing", "description": "Process new leads",
            "category": "automation", "is_active": True}  # fmt: skip
    workflow = client.post(f"{API}/workflows/", data, format="json").json()
    data = {"workflow_id": workflow["id"], "version_num": 1,
            "s3_key": f"s3://workflows/{workflow['id']}/v1.json"}  # fmt: skip
    version = client.post(f"{API}/versions/", data, format="json").json()
    data = {"version_id": version["id"], "kind": "action", "action_key": "task_management",
            "cfg": {"operation": "create", "title": "Follow up lead"}}  # fmt: skip
    step1 = client.post(f"{API}/steps/", data, format="json").json()
    step2 = client.post(f"{API}/steps/", data, format="json").json()
    data = {"from_step_id": step1["id"], "to_step_id": step2["id"], "branch_key": "default"}
    edge = client.post(f"{API}/edges/", data, format="json")
    published = client.post(f"{API}/workflows/{workflow['id']}/publish/", format="json").json()

    assert edge.status_code == 201
    assert (step1["step_id"], step2["step_id"]) == ("task_management", "task_management_2")
    assert published["live_version"]["id"] == version["id"]
    for resource, row in (("versions", version), ("steps", step1), ("edges", edge.json())):
        assert client.get(f"{API}/{resource}/{row['id']}/").json()["id"] == row["id"]
    listed = client.get(f"{API}/steps/?version_id={version['id']}").json()["results"]
    assert {row["id"] for row in listed} == {step1["id"], step2["id"]}
    refused = client.post(
        f"{API}/steps/", {"version_id": version["id"], "kind": "end"}, format="json"
    )
    assert refused.status_code == 409


def test_rows_of_an_open_version_are_listed_changed_and_removed(client, made):
    version = client.post(f"{API}/versions/", {"workflow_id": made["id"]}, format="json").json()
    query = f"?version_id={version['id']}"
    steps = client.get(f"{API}/steps/{query}").json()["results"]
    edges = client.get(f"{API}/edges/{query}").json()["results"]

    path = f"{API}/steps/{steps[0]['id']}/"
    assert client.get(f"{API}/versions/{version['id']}/").json()["document"] == made["document"]
    assert client.patch(path, {"title": "Hello"}, format="json").json()["title"] == "Hello"
    assert client.get(path).json()["title"] == "Hello"
    assert client.get(f"{API}/edges/{edges[0]['id']}/").json() == edges[0]
    assert client.delete(f"{API}/edges/{edges[0]['id']}/").status_code == 204
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.get(f"{API}/edges/{query}").json()["results"] == []


def test_the_value_of_a_secret_variable_is_in_no_answer(client, made):
    data = {"workflow_id": made["id"], "key": "api_key", "is_secret": True, "value": SECRET}
    created = client.post(f"{API}/variables/", data, format="json")
    path = f"{API}/variables/{created.json()['id']}/"

    answers = [
        created,
        client.get(path),
        client.patch(path, {"value": SECRET + "2"}, format="json"),
        client.get(f"{API}/variables/?workflow_id={made['id']}"),
        client.get(f"{API}/workflows/{made['id']}/"),
        client.get(f"{API}/workflows/{made['id']}/draft/"),
        client.post(f"{API}/workflows/{made['id']}/publish/", format="json"),
        client.get(f"{API}/workflows/{made['id']}/versions/1/"),
    ]

    assert all(answer.status_code in {200, 201} for answer in answers)
    assert SECRET not in "".join(answer.content.decode() for answer in answers)
    assert created.json()["has_value"] is True
    assert client.delete(path).status_code == 204


_JUNK: list[object] = [None, True, 0, -1, 2**53 + 1, 1.5, "", "x" * 300, "\u0000", "{{", [], [None], {}, {"a": {}},
         [{"op": "set"}], {"name": ["x"]}, str(uuid4())]  # fmt: skip
_FIELDS = ["document", "operations", "revision", "name", "tags", "is_active", "note", "steps", "cfg",
           "workflow_id", "version_id", "kind", "key", "value", "is_secret", "type", "step_id",
           "from_step_id", "branch_key", "variables", "edges", "triggers", "settings", "project"]  # fmt: skip


def test_no_body_is_answered_with_a_server_error(client, made):
    randomness = random.Random(7)  # noqa: S311 - test data
    one = f"{API}/workflows/{made['id']}"
    calls = [("post", f"{API}/workflows/"), ("patch", f"{one}/"), ("put", f"{one}/draft/"),
             ("patch", f"{one}/draft/"), ("post", f"{one}/validate/"), ("post", f"{one}/publish/"),
             ("post", f"{API}/versions/"), ("post", f"{API}/steps/"), ("post", f"{API}/edges/"),
             ("post", f"{API}/variables/")]  # fmt: skip
    known = {"workflow_id": made["id"], "name": "n", "revision": 1, "key": "k", "kind": "end"}

    for number in range(400):
        method, path = calls[number % len(calls)]
        fields = randomness.sample(_FIELDS, 4)
        body = known | {field: randomness.choice(_JUNK) for field in fields}
        answer = getattr(client, method)(path, body if number % 9 else _JUNK[number % 16], "json")
        assert answer.status_code < 500, (path, body, answer.content)
        if answer.status_code >= 400:
            assert {"code", "message", "problems"} <= set(answer.json())


def test_what_others_have_is_not_found(made):
    eve = User.objects.create_user("eve@example.org")
    other = Project.objects.create(name="Other", slug="other")
    Membership.objects.create(project=other, user=eve, role=Role.ADMIN)
    client = APIClient()
    client.force_login(eve)

    path = f"{API}/workflows/{made['id']}/"
    assert client.get(f"{API}/workflows/").json()["results"] == []
    for answer in (
        client.get(path),
        client.patch(path, {"name": "x"}, format="json"),
        client.delete(path),
        client.get(f"{path}draft/"),
        client.put(f"{path}draft/", {"document": {"name": "x"}}, format="json"),
        client.post(f"{path}publish/", format="json"),
        client.post(f"{API}/versions/", {"workflow_id": made["id"]}, format="json"),
        client.get(f"{API}/steps/{uuid4()}/"),
    ):
        assert answer.status_code == 404
    assert not WorkflowVersion.objects.exists()


@pytest.mark.parametrize(
    ("role", "edits", "publishes"),
    [(Role.VIEWER, 403, 403), (Role.OPERATOR, 403, 403), (Role.BUILDER, 200, 403),
     (Role.PUBLISHER, 200, 200)],
)  # fmt: skip
def test_roles_may_what_the_policy_says(made, project, overview, role, edits, publishes):
    person = User.objects.create_user("person@example.org")
    Membership.objects.create(project=project, user=person, role=role)
    client = APIClient()
    client.force_login(person)
    path = f"{API}/workflows/{made['id']}"

    created = client.post(f"{API}/workflows/", overview | {"publish": True}, format="json")
    switched = client.patch(f"{path}/", {"is_active": True}, format="json")
    changed = client.patch(f"{path}/draft/", {"operations": [RENAME], "revision": 1}, format="json")
    published = client.post(f"{path}/publish/", format="json")

    assert client.get(f"{path}/").status_code == 200
    assert changed.status_code == edits
    assert published.status_code == publishes
    assert switched.status_code == publishes
    assert created.status_code == (201 if publishes == 200 else 403)


def test_strangers_are_asked_to_sign_in(made):
    assert APIClient().get(f"{API}/workflows/{made['id']}/").status_code in {401, 403}


def test_lists_take_a_fixed_number_of_queries(client, overview, django_assert_max_num_queries):
    for _ in range(5):
        client.post(f"{API}/workflows/", overview | {"publish": True}, format="json")

    with django_assert_max_num_queries(4):
        client.get(f"{API}/workflows/")
    with django_assert_max_num_queries(4):
        client.get(f"{API}/steps/")
    with django_assert_max_num_queries(4):
        client.get(f"{API}/versions/")
