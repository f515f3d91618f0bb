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


@pytest.mark.parametrize("act", ["cancel/", "pause/", "resume/", "retry/", "again/"])
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


def test_a_run_that_has_ended_offers_another_way_to_try_it_again(story, owner):
    page = owner.get(_url(story.done))

    assert "Try again in another way" in page.text
    assert "ada@example.com" in page.context["again"].event
    assert {choice.id for choice in page.context["again"].effects} <= {
        choice.id for choice in page.context["again"].steps
    }
    assert "Try again in another way" not in owner.get(_url(story.waiting)).text


def test_a_run_begins_anew_from_a_step_with_corrected_data(story, owner):
    chosen = owner.get(_url(story.done)).context["again"].steps[0].id
    form = {"from_step": chosen, "version": "original", "event": '{"email": "eve@example.com"}'}

    page = owner.post(_url(story.done, "again/"), form, follow=True)

    new = Execution.objects.get(retry_of=story.done.pk)
    assert new.context_data == {"email": "eve@example.com"}
    assert (new.lineage or {})["from_step"] == chosen
    assert page.redirect_chain[-1][0] == _url(new)
    assert "The data was corrected for it." in page.text
    assert str(story.owner.email) in page.text


def test_from_the_beginning_is_a_replay_and_unchanged_data_is_not_edited(story, owner):
    event = owner.get(_url(story.done)).context["again"].event
    owner.post(_url(story.done, "again/"), {"from_step": "*", "version": "live", "event": event})

    lineage = Execution.objects.get(retry_of=story.done.pk).lineage or {}
    assert (lineage["kind"], lineage["is_event_edited"]) == ("replay", False)


@pytest.mark.parametrize(
    "form",
    [
        {"event": "{"},
        {"event": "[1]"},
        {"version": "newest"},
        {"from_step": "nope"},
        {"run_again": "nope"},
        {"event": "\x00"},
    ],
)
def test_a_form_that_cannot_be_read_says_so_and_starts_nothing(story, owner, form):
    page = owner.post(_url(story.done, "again/"), form, follow=True)

    assert page.status_code == 200
    assert 'role="alert"' in page.text
    assert not Execution.objects.filter(retry_of=story.done.pk).exists()


def test_a_decision_needs_a_reason_and_may_say_what_the_step_came_to(story, owner):
    row = story.uncertain_step
    url = f"/runs/{row.execution_id}/steps/{row.pk}/decide/"

    without = owner.post(url, {"decision": "done", "reason": " "}, follow=True)
    owner.post(url, {"decision": "done", "reason": "Seen.", "output": '{"id": 7}'})

    assert "Say what you found out" in without.text
    row.refresh_from_db()
    assert (row.status, row.result_data) == ("SUCCESS", {"id": 7})


def test_the_list_is_narrowed_to_decisions_and_to_what_is_not_put_right(story, owner):
    unsure = owner.get("/runs/?status=uncertain").context["page"].rows
    letters = owner.get("/runs/?status=dead_letter").context["page"].rows

    assert [run.pk for run in unsure] == [story.uncertain_step.execution_id]
    assert {run.status for run in letters} <= {"FAILED", "TIMED_OUT"}
    assert story.failed.pk in {run.pk for run in letters}
