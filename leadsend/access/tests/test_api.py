"""The resources about people and access."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from leadsend.access.models import ApiToken, AuditEntry, Membership, Role, Team
from leadsend.lib import clock
from leadsend.testing.factories import make_task, make_user, make_workflow
from leadsend.testing.personas import api_of, browser_of, make_people
from registry.seeding import seed_registry

pytestmark = pytest.mark.django_db


@pytest.fixture
def people():
    return make_people()


@pytest.fixture
def ana(people):
    return api_of(people.ana)


def test_a_new_token_is_shown_once_and_works(people, ana):
    made = ana.post("/api/v1/tokens/", {"name": "CRM", "scopes": ["run"], "days": 30})

    assert made.status_code == 201, made.json()
    token = made.json()["token"]
    assert token.startswith("lsk_")
    assert len(token) == 47
    row = ApiToken.objects.get(pk=made.json()["id"])
    assert token not in str(row.__dict__)
    shown = ana.get(f"/api/v1/tokens/{row.pk}/").json()
    assert "token" not in shown
    assert _with(token).status_code == 200


def test_a_revoked_token_opens_nothing(people, ana):
    made = ana.post("/api/v1/tokens/", {"name": "CRM", "scopes": ["read"]}).json()

    assert ana.delete(f"/api/v1/tokens/{made['id']}/").status_code == 204

    answer = _with(made["token"])
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_an_expired_token_opens_nothing(people, ana):
    made = ana.post("/api/v1/tokens/", {"name": "CRM", "scopes": ["read"], "days": 1}).json()

    with time_machine.travel(clock.now() + timedelta(days=1, seconds=1)):
        answer = _with(made["token"])
    assert answer.status_code == 401


def test_the_use_of_a_token_is_noted_once_a_minute(people, ana):
    row = ApiToken.objects.get()
    ana.get("/api/v1/workflows/")
    row.refresh_from_db()
    first = row.last_used_at

    ana.get("/api/v1/workflows/")
    row.refresh_from_db()
    assert row.last_used_at == first

    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        ana.get("/api/v1/workflows/")
    row.refresh_from_db()
    assert row.last_used_at != first


def test_a_token_cannot_make_one_that_may_more(people):
    narrow = api_of(people.ana, scopes=("token.manage",))

    answer = narrow.post("/api/v1/tokens/", {"name": "more", "scopes": ["admin"]})

    assert answer.status_code == 403


def test_a_token_is_made_for_members_only(people, ana):
    body = {"name": "x", "scopes": ["read"]}
    for_ben = ana.post("/api/v1/tokens/", {**body, "user_id": str(people.ben.pk)})
    for_eve = ana.post("/api/v1/tokens/", {**body, "user_id": str(people.eve.pk)})

    assert (for_ben.status_code, for_eve.status_code) == (201, 400)
    assert for_eve.json()["problems"][0]["path"] == "/user_id"


def test_an_unknown_scope_is_refused_at_its_place(ana):
    answer = ana.post("/api/v1/tokens/", {"name": "x", "scopes": ["everything"]})

    assert answer.status_code == 400
    assert answer.json()["problems"][0]["path"] == "/scopes"


def test_a_session_needs_the_csrf_token_to_change_something(people):
    browser = browser_of(people.ana)
    browser.handler.enforce_csrf_checks = True

    reading = browser.get("/api/v1/tokens/")
    writing = browser.post(
        "/api/v1/tokens/", {"name": "x", "scopes": ["read"]}, content_type="application/json"
    )

    assert (reading.status_code, writing.status_code) == (200, 403)
    assert "CSRF" in writing.json()["message"]


def test_members_are_added_changed_and_removed(people, ana):
    newcomer = make_user("new@example.com")

    made = ana.post("/api/v1/members/", {"email": "New@example.com", "role": "viewer"})
    url = f"/api/v1/members/{made.json()['id']}/"
    changed = ana.patch(url, {"role": "builder"})
    gone = ana.delete(url)

    assert (made.status_code, changed.json()["role"], gone.status_code) == (201, "builder", 204)
    assert not Membership.objects.filter(user=newcomer).exists()


def test_a_stranger_becomes_no_member_by_a_wrong_e_mail(ana):
    answer = ana.post("/api/v1/members/", {"email": "nobody@example.com", "role": "viewer"})

    assert answer.status_code == 400


def test_the_last_admin_stays(people, ana):
    row = Membership.objects.get(user=people.ana)

    assert ana.patch(f"/api/v1/members/{row.pk}/", {"role": "viewer"}).status_code == 409
    assert ana.delete(f"/api/v1/members/{row.pk}/").status_code == 409


def test_teams_hold_members_of_the_project_only(people, ana):
    body = {"key": "closers", "name": "Closers", "member_ids": [str(people.ben.pk)]}
    made = ana.post("/api/v1/teams/", body)
    wrong = ana.patch(f"/api/v1/teams/{made.json()['id']}/", {"member_ids": [str(people.eve.pk)]})

    assert made.json()["member_ids"] == [str(people.ben.pk)]
    assert wrong.status_code == 400


def test_a_team_that_tasks_refer_to_is_kept(people, ana):
    team = Team.objects.create(project=people.project, key="closers", name="Closers")
    make_task(project=people.project, team=team)

    answer = ana.delete(f"/api/v1/teams/{team.pk}/")

    assert answer.status_code in {204, 409}
    assert Team.objects.filter(pk=team.pk).exists() is (answer.status_code == 409)


def test_projects_show_those_one_is_in(people, ana):
    rows = ana.get("/api/v1/projects/").json()["results"]

    assert [row["id"] for row in rows] == [str(people.project.pk)]


def test_only_who_runs_the_installation_makes_projects(people, ana):
    root = browser_of(make_user("root@example.com", is_superuser=True))
    body = {"name": "Support", "slug": "support"}

    assert ana.post("/api/v1/projects/", body).status_code == 403
    made = root.post("/api/v1/projects/", body, content_type="application/json")
    assert made.status_code == 201
    again = root.post("/api/v1/projects/", body, content_type="application/json")
    assert again.status_code == 409


def test_the_audit_log_tells_what_was_done_to_admins_only(people, ana):
    ana.patch(f"/api/v1/projects/{people.project.pk}/", {"name": "Sales & more"})

    rows = ana.get("/api/v1/audit/", {"act": "project.change"}).json()["results"]
    assert [(row["actor_label"], row["detail"]) for row in rows] == [
        ("ana@example.com", {"name": "Sales & more"})
    ]
    assert api_of(people.dev).get("/api/v1/audit/").status_code == 403


def test_the_audit_list_leaves_out_projects_where_one_is_no_admin(people):
    people.eve.memberships.create(project=people.project, role=Role.VIEWER)
    AuditEntry.objects.all().count()
    api_of(people.ana)  # making her token is an act in her project

    eve = browser_of(people.eve)

    acts = {row["project_id"] for row in eve.get("/api/v1/audit/").json()["results"]}
    assert str(people.project.pk) not in acts


def test_what_nobody_knows_is_refused(ana):
    answer = ana.post("/api/v1/tokens/", {"name": "x", "scopes": ["read"], "admin": True})

    assert answer.status_code == 400
    assert answer.json()["problems"][0]["path"] == "/admin"


@pytest.mark.parametrize("path", ["actions", "trigger-types", "credential-types"])
def test_the_catalogue_is_shown_to_everybody_who_is_signed_in(people, path):
    seed_registry()
    eve = api_of(people.eve, scopes=("read",))

    rows = eve.get(f"/api/v1/{path}/").json()["results"]

    assert len(rows) >= 3
    one = eve.get(f"/api/v1/{path}/{rows[0]['key']}/")
    assert one.json() == rows[0]
    assert api_of(None).get(f"/api/v1/{path}/").status_code == 401


def _with(token):
    return api_of(None).get("/api/v1/workflows/", HTTP_AUTHORIZATION=f"Bearer {token}")


def test_a_projects_failure_workflow_is_one_of_its_own(people, ana):
    own = make_workflow(project=people.project)
    url = f"/api/v1/projects/{people.project.pk}/"

    def name(workflow_id):
        body = {"failure_workflow_id": workflow_id}
        return ana.patch(url, body, content_type="application/json")

    assert name(str(own.pk)).json()["failure_workflow_id"] == str(own.pk)
    assert name(str(make_workflow().pk)).status_code == 400
    assert name(None).json()["failure_workflow_id"] is None
