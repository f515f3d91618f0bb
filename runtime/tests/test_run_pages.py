"""The list of runs, one run, and what people do with it by buttons."""

from __future__ import annotations

import pytest
from django.test import Client

from leadsend.access.models import Role
from leadsend.lib import ids
from leadsend.testing.factories import make_execution, make_project, make_step, make_user
from leadsend.testing.page_story import tell_page_story
from runtime.models import Execution, StepExecution


@pytest.fixture
def story(db):
    return tell_page_story()


@pytest.fixture
def owner(story):
    client = Client()
    client.force_login(story.owner)
    return client


@pytest.fixture
def stranger(story):
    client = Client()
    client.force_login(story.stranger)
    return client


def _url(run, act=""):
    return f"/runs/{run.pk}/{act}"


def _keys(page):
    return [run.business_key for run in page.context["page"].rows]


def test_the_list_is_filtered_by_its_address(story, owner):
    assert _keys(owner.get("/runs/?status=failed")) == ["ada@"]
    assert _keys(owner.get("/runs/?status=done&q=ADA@ex")) == ["ada@example.com"]
    assert len(_keys(owner.get(f"/runs/?workflow={story.workflow.pk}"))) == 5
    assert _keys(owner.get(f"/runs/?workflow={story.draft.pk}")) == []


def test_long_lists_have_pages_that_keep_the_filter(story, owner):
    for number in range(60):
        # Ids of the same millisecond come in any order.
        make_execution(
            version=story.workflow.live_version,
            id=ids.uuid7(1_800_000_000_000 + number),
            business_key=f"lead{number:02}",
        )
    first = owner.get("/runs/?q=lead")
    second = owner.get(f"/runs/{first.context['page'].older}")

    assert len(_keys(first)) == 50
    assert _keys(second) == [f"lead{number:02}" for number in reversed(range(10))]
    assert second.context["page"].newest == "?q=lead"


def test_a_step_that_was_tried_twice_is_one_entry_with_its_tries(story, owner):
    page = owner.get(_url(story.done))

    welcome = next(step for step in page.context["steps"] if step.words.id == "welcome")
    assert [row.status for row in welcome.attempts] == ["FAILED", "SUCCESS"]
    assert page.text.count("The mail server did not answer") > 1


def test_the_way_taken_and_the_data_are_told_in_words(story, owner):
    page = owner.get(_url(story.done)).text

    assert "<strong>Yes</strong>" in page
    assert "Ada Byron" in page
    assert "Is the lead hot?" in page


def test_the_reason_of_a_condition_is_told_without_paths(story, owner):
    reason = "event.score (80) is greater than 50"
    run = make_execution(version=story.workflow.live_version)
    result = {"result": True, "reason": reason}
    make_step(run, step_id="hot", kind="condition", branch="yes", result_data=result)

    assert "Score (80) is greater than 50" in owner.get(_url(run)).text


def test_a_failed_run_says_what_happened_and_offers_a_new_try(story, owner):
    page = owner.get(_url(story.failed)).text

    assert "has no domain" in page
    assert "Try again" in page


def test_cancelling_ends_a_waiting_run(story, owner):
    page = owner.post(_url(story.waiting, "cancel/"), follow=True)

    story.waiting.refresh_from_db()
    assert story.waiting.status == "CANCELLED"
    assert "The run is cancelled." in page.text


def test_a_run_is_paused_and_goes_on(story, owner):
    owner.post(_url(story.waiting, "pause/"))
    story.waiting.refresh_from_db()
    paused = story.waiting.status
    owner.post(_url(story.waiting, "resume/"))
    story.waiting.refresh_from_db()

    assert (paused, story.waiting.status) == ("PAUSED", "PENDING")


def test_a_new_try_is_a_new_run_that_the_user_is_led_to(story, owner):
    answer = owner.post(_url(story.failed, "retry/"))

    new = Execution.objects.get(retry_of=story.failed.pk)
    assert answer["Location"] == _url(new)
    assert "an earlier run" in owner.get(_url(new)).text


def test_what_cannot_be_done_is_answered_in_words(story, owner):
    page = owner.post(_url(story.done, "cancel/"), follow=True)

    assert 'role="alert"' in page.text
    story.done.refresh_from_db()
    assert story.done.status == "SUCCESS"


@pytest.mark.parametrize(
    ("decision", "status"), [("done", "SUCCESS"), ("run_again", "FAILED"), ("failed", "FAILED")]
)
def test_a_person_decides_about_an_uncertain_step(story, owner, decision, status):
    row = story.uncertain_step
    url = f"/runs/{row.execution_id}/steps/{row.pk}/decide/"
    page = owner.post(url, {"decision": decision, "reason": "I looked."}, follow=True)

    row.refresh_from_db()
    assert row.status == status
    assert "Noted." in page.text


def test_a_decision_that_is_none_changes_nothing(story, owner):
    row = story.uncertain_step
    page = owner.post(
        f"/runs/{row.execution_id}/steps/{row.pk}/decide/", {"decision": "maybe"}, follow=True
    )

    assert "Choose what happened." in page.text
    row.refresh_from_db()
    assert row.status == "UNCERTAIN"


def test_a_step_of_another_run_cannot_be_decided_here(story, owner):
    other = make_execution(version=story.workflow.live_version)
    url = f"/runs/{other.pk}/steps/{story.uncertain_step.pk}/decide/"

    assert owner.post(url, {"decision": "done"}).status_code == 404


@pytest.mark.parametrize("act", ["cancel/", "pause/", "resume/", "retry/"])
def test_acts_are_refused_to_viewers_and_hidden_from_strangers(story, stranger, act):
    viewer = Client()
    viewer.force_login(story.viewer)

    assert viewer.post(_url(story.waiting, act)).status_code == 403
    assert stranger.post(_url(story.waiting, act)).status_code == 404
    story.waiting.refresh_from_db()
    assert story.waiting.status == "WAITING"


def test_operators_of_another_project_are_strangers_here(story):
    client = Client()
    client.force_login(make_user(project=make_project(), role=Role.OPERATOR))

    assert client.post(_url(story.waiting, "cancel/")).status_code == 404


def test_more_steps_cost_no_more_queries(story, owner, django_assert_num_queries):
    with django_assert_num_queries(10):
        owner.get(_url(story.done))
    for number in range(20):
        make_step(story.done, step_id=f"more{number}")
    with django_assert_num_queries(10):
        owner.get(_url(story.done))


def test_more_runs_cost_no_more_queries(story, owner, django_assert_num_queries):
    with django_assert_num_queries(6):
        owner.get("/runs/")
    for _ in range(20):
        make_execution(version=story.workflow.live_version)
    with django_assert_num_queries(6):
        owner.get("/runs/")


def test_rows_of_steps_that_the_version_does_not_know_are_shown(story, owner):
    make_step(story.done, step_id="gone")

    assert "gone" in owner.get(_url(story.done)).text
    assert StepExecution.objects.of_execution(story.done.pk).count() == 7


def test_a_run_links_the_one_that_called_it_and_those_it_called(story, owner):
    Execution.objects.filter(pk=story.failed.pk).update(parent_execution=story.done.pk)

    assert _url(story.failed) in owner.get(_url(story.done)).text
    assert _url(story.done) in owner.get(_url(story.failed)).text
