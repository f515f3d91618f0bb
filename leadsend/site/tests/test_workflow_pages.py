"""The list of workflows, and publishing by a button."""

from __future__ import annotations

import pytest
from django.test import Client

from leadsend.access.models import Role
from leadsend.lib import ids
from leadsend.testing.factories import make_execution, make_project, make_user, make_workflow

MAIN = "<main"


@pytest.fixture
def project(db):
    return make_project()


@pytest.fixture
def as_role(project):
    """Return a browser of a new member with this role."""

    def browser(role):
        client = Client()
        client.force_login(make_user(project=project, role=role))
        return client

    return browser


def _url(workflow, act=""):
    return f"/workflows/{workflow.pk}/{act}"


def test_publishing_makes_the_draft_live(project, as_role):
    workflow = make_workflow(project=project)
    page = as_role(Role.PUBLISHER).post(_url(workflow, "publish/"), follow=True)

    workflow.refresh_from_db()
    assert workflow.is_live
    assert "Version 1 is live." in page.text


def test_who_may_not_publish_sees_no_button_and_is_refused(project, as_role):
    workflow = make_workflow(project=project)
    builder = as_role(Role.BUILDER)

    assert 'data-testid="publish"' not in builder.get(_url(workflow)).text
    assert builder.post(_url(workflow, "publish/")).status_code == 403
    workflow.refresh_from_db()
    assert not workflow.is_live


def test_publishers_of_other_projects_find_nothing(project):
    workflow = make_workflow(project=project)
    stranger = Client()
    stranger.force_login(make_user(project=make_project(), role=Role.ADMIN))

    for act in ("publish/", "pause/", "resume/"):
        assert stranger.post(_url(workflow, act)).status_code == 404


def test_a_draft_with_problems_is_not_published_and_says_why(project, as_role):
    steps = [{"kind": "action", "action_key": "http_request", "cfg": {}}]
    workflow = make_workflow(project=project, steps=steps)
    page = as_role(Role.PUBLISHER).post(_url(workflow, "publish/"), follow=True)

    assert 'role="alert"' in page.text
    assert "to look at" in page.text
    workflow.refresh_from_db()
    assert not workflow.is_live


def test_pausing_and_going_live_again(project, as_role):
    workflow = make_workflow(project=project, published=True)
    publisher = as_role(Role.PUBLISHER)

    assert "Go live again" in publisher.post(_url(workflow, "pause/"), follow=True).text
    assert "Pause" in publisher.post(_url(workflow, "resume/"), follow=True).text.split(MAIN)[1]


@pytest.mark.parametrize("act", ["publish/", "pause/", "resume/"])
def test_acts_take_a_post(project, as_role, act):
    workflow = make_workflow(project=project)

    assert as_role(Role.ADMIN).get(_url(workflow, act)).status_code == 405


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?q=hello", ["Say hello"]),
        ("?state=live", ["Say hello"]),
        ("?state=draft", ["Other"]),
        ("?state=paused", []),
        ("?q=hello&state=draft", []),
    ],
)
def test_the_list_is_searched_and_filtered_by_its_address(project, as_role, query, names):
    make_workflow(project=project, name="Say hello", published=True)
    make_workflow(project=project, name="Other")
    page = as_role(Role.VIEWER).get(f"/workflows/{query}")

    assert [card["workflow"].name for card in page.context["cards"]] == names


def test_the_list_tells_the_last_run_of_each(project, as_role):
    workflow = make_workflow(project=project, published=True)
    version = workflow.live_version
    make_execution(version=version, id=ids.uuid7(1_800_000_000_000), status="SUCCESS")
    last = make_execution(version=version, id=ids.uuid7(1_800_000_000_001), status="FAILED")
    page = as_role(Role.VIEWER).get("/workflows/")

    assert page.context["cards"][0]["last_run"] == last


def test_more_workflows_cost_no_more_queries(project, as_role, django_assert_num_queries):
    viewer = as_role(Role.VIEWER)
    viewer.get("/workflows/")
    for _ in range(3):
        make_execution(version=make_workflow(project=project, published=True).live_version)

    with django_assert_num_queries(6):
        viewer.get("/workflows/")
    for _ in range(5):
        make_execution(version=make_workflow(project=project, published=True).live_version)
    with django_assert_num_queries(6):
        viewer.get("/workflows/")
