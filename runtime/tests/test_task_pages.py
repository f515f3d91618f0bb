"""The inbox of tasks, and mails as they are looked at."""

from __future__ import annotations

import pytest
from django.test import Client

from leadsend.testing.page_story import tell_page_story


@pytest.fixture
def story(db):
    return tell_page_story()


@pytest.fixture
def owner(story):
    client = Client()
    client.force_login(story.owner)
    return client


def _titles(page):
    return [entry["task"].title for entry in page.context["entries"]]


def test_tabs_show_mine_my_teams_and_what_is_done(owner):
    assert "Call Ada Byron" in _titles(owner.get("/tasks/"))
    assert _titles(owner.get("/tasks/?tab=team")) == ["Send the offer"]
    assert _titles(owner.get("/tasks/?tab=done")) == ["Said hello"]
    assert len(_titles(owner.get("/tasks/?tab=all"))) == 3


def test_done_closes_the_task_and_stays_on_the_tab(story, owner):
    url = f"/tasks/{story.task.pk}/complete/"
    answer = owner.post(url, {"tab": "all"})
    again = owner.post(url, {"tab": "https://evil.example/"})

    story.task.refresh_from_db()
    assert (story.task.status, story.task.completed_by) == ("DONE", story.owner)
    assert answer["Location"] == "/tasks/?tab=all"
    assert again["Location"] == "/tasks/"


def test_viewers_and_strangers_cannot_complete_it(story):
    answers = {}
    for user in (story.viewer, story.stranger):
        client = Client()
        client.force_login(user)
        answers[user.name] = client.post(f"/tasks/{story.task.pk}/complete/").status_code

    assert answers == {"Vera Viewer": 403, "Eve": 404}
    story.task.refresh_from_db()
    assert story.task.status == "PENDING"


def test_a_cancelled_task_says_so(story, owner):
    story.task.status = "CANCELLED"
    story.task.save(update_fields=["status"])
    page = owner.post(f"/tasks/{story.task.pk}/complete/", follow=True)

    assert "cancelled" in page.text


def test_more_tasks_cost_no_more_queries(story, owner, django_assert_num_queries):
    with django_assert_num_queries(5):
        owner.get("/tasks/?tab=all")


def test_the_html_of_a_mail_can_do_nothing(story, owner):
    answer = owner.get(f"/outbox/{story.mail.pk}/html/")

    policy = answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert policy.startswith("default-src 'none'")
    assert policy.endswith("sandbox")


def test_a_mail_shows_its_text_and_frames_its_html(story, owner):
    page = owner.get(f"/outbox/{story.mail.pk}/").text

    assert "thank you for your interest." in page
    assert 'sandbox=""' in page
    assert "Kept here" in page


def test_mails_are_searched_by_address_and_subject(owner):
    found = owner.get("/outbox/?q=welcome,")

    assert [mail.subject for mail in found.context["page"].rows] == ["Welcome, Ada"]


def test_an_approval_shows_its_buttons_and_fields_and_takes_the_answer(story, owner):
    story.task.form = {
        "answers": [{"key": "approved", "title": "Approve it"}, {"key": "rejected"}],
        "fields": [{"key": "percent", "type": "number", "title": "Discount", "required": True}],
    }
    story.task.save(update_fields=["form"])
    page = owner.get("/tasks/").text
    assert "Approve it" in page
    assert 'name="field_percent"' in page

    url = f"/tasks/{story.task.pk}/complete/"
    refused = owner.post(url, {"answer": "approved"}, follow=True)
    assert "Fill in" in refused.text
    owner.post(url, {"answer": "approved", "field_percent": "5", "comment": "Fine."})

    story.task.refresh_from_db()
    assert story.task.answer == {
        "answer": "approved",
        "comment": "Fine.",
        "fields": {"percent": 5},
    }
