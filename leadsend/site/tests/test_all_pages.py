"""What holds for every page: who sees it, what it costs, which words are on it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.test import Client

from leadsend.testing.page_story import ODD, tell_page_story

# Words that a business user never meets outside the developer details.
BANNED = re.compile(
    r"\b(node|payload|JSON|expression|webhook method|boolean|string|array|object|null|cron|queue|"
    r"execution|credential|instance)s?\b",
    re.IGNORECASE,
)
QUERIES = {
    "home": 12,
    "workflows": 6,
    "workflow": 9,
    "runs": 6,
    "run": 10,
    "tasks": 5,
    "outbox": 5,
    "mail": 5,
    "settings": 5,
}


class _Shown(HTMLParser):
    """Collects the text of a page outside scripts, styles and developer details."""

    def __init__(self):
        super().__init__()
        self.text = []
        self.hidden = 0

    def handle_starttag(self, tag, attrs):
        if tag in {"script", "style", "pre"} or ("class", "more") in attrs:
            self.hidden += 1

    def handle_endtag(self, tag):
        if tag in {"script", "style", "pre", "details"} and self.hidden:
            self.hidden -= 1

    def handle_data(self, data):
        if not self.hidden:
            self.text.append(data)


def shown_text(html):
    """Return what a page says to who opens no developer details."""
    parser = _Shown()
    parser.feed(html)
    return " ".join(parser.text)


@pytest.fixture
def story(db):
    return tell_page_story()


@pytest.fixture
def addresses(story):
    return {
        "home": "/",
        "workflows": "/workflows/",
        "workflow": f"/workflows/{story.workflow.pk}/",
        "runs": "/runs/",
        "run": f"/runs/{story.done.pk}/",
        "tasks": "/tasks/",
        "outbox": "/outbox/",
        "mail": f"/outbox/{story.mail.pk}/",
        "settings": "/settings/",
    }


def _as(user):
    client = Client()
    client.force_login(user)
    return client


def test_every_page_has_one_heading_and_a_title(story, addresses):
    for address in addresses.values():
        page = _as(story.owner).get(address)

        assert page.status_code == 200, address
        assert page.text.count("<h1") == 1, address
        assert "· LeadSend" in page.text
        assert page["Content-Security-Policy"].startswith("default-src 'self'")


def test_strangers_see_nothing_of_a_project(story, addresses):
    stranger = _as(story.stranger)

    assert stranger.get(addresses["workflow"]).status_code == 404
    assert stranger.get(addresses["run"]).status_code == 404
    assert stranger.get(addresses["mail"]).status_code == 404
    for name in ("home", "workflows", "runs", "tasks", "outbox"):
        assert "cold@example.com" not in stranger.get(addresses[name], follow=True).text


def test_viewers_read_but_are_offered_no_acts(story, addresses):
    viewer = _as(story.viewer)
    failed = viewer.get(f"/runs/{story.failed.pk}/")

    assert "Try again" not in failed.text
    assert "Pause" not in viewer.get(addresses["workflow"]).text.split("<main")[1]
    assert "/complete/" not in viewer.get("/tasks/?tab=all").text
    assert viewer.get(addresses["outbox"]).status_code == 403


def test_texts_of_strangers_are_shown_as_they_are_and_do_nothing(story):
    owner = _as(story.owner)
    addresses = ["/", "/workflows/", "/runs/", "/tasks/", "/outbox/"]
    addresses += [f"/runs/{story.odd.pk}/", f"/workflows/{story.draft.pk}/"]
    for address in addresses:
        page = owner.get(address)

        assert page.status_code == 200, address
        assert "<script>alert" not in page.text, address
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text, address


def test_odd_searches_are_answered(story):
    owner = _as(story.owner)
    for value in (ODD, "\0", "%", "_", "'", "a" * 5000, "😀"):
        for address in ("/workflows/", "/runs/", "/outbox/"):
            query = {
                "q": value,
                "before": value,
                "status": value,
                "workflow": value,
                "state": value,
            }
            assert owner.get(address, query).status_code == 200


def test_banned_words_are_on_no_page(story, addresses):
    for address in [*addresses.values(), f"/runs/{story.failed.pk}/", f"/runs/{story.waiting.pk}/"]:
        text = shown_text(_as(story.owner).get(address).text)

        assert not BANNED.findall(text), address


@pytest.mark.parametrize("name", QUERIES)
def test_the_number_of_queries_is_fixed(story, addresses, django_assert_num_queries, name):
    owner = _as(story.owner)
    owner.get(addresses[name])

    with django_assert_num_queries(QUERIES[name]):
        owner.get(addresses[name])


def test_missing_pages_are_answered_in_words(story):
    for client in (Client(), _as(story.owner)):
        page = client.get("/nowhere/")

        assert page.status_code == 404
        assert "There is nothing here" in page.text


def test_failures_are_answered_in_words(story, monkeypatch):
    monkeypatch.setattr("leadsend.site.home.in_use", lambda user: 1 / 0)
    client = _as(story.owner)
    client.raise_request_exception = False
    page = client.get("/")

    assert page.status_code == 500
    assert "Something went wrong here" in page.text
    assert "ZeroDivisionError" not in page.text
