"""One's own pages: settings, signing out, and being sent to sign in."""

from __future__ import annotations

import pytest
from django.test import Client

from leadsend.access.models import AuditEntry
from leadsend.testing.factories import PASSWORD, make_project, make_user

SETTINGS = "/settings/"


@pytest.fixture
def ada(db):
    return make_user("ada@example.com", project=make_project(), name="Ada")


@pytest.fixture
def browser(ada):
    client = Client()
    client.force_login(ada)
    return client


def test_visitors_are_sent_to_sign_in_and_back(client, db):
    assert client.get("/runs/?q=a")["Location"] == "/login/?next=/runs/%3Fq%3Da"


def test_signing_out_takes_a_post(browser):
    assert browser.get("/logout/").status_code == 405
    assert browser.post("/logout/")["Location"] == "/login/"
    assert browser.get(SETTINGS).status_code == 302


def test_the_theme_stands_on_the_page_so_that_nothing_flashes(browser, ada):
    data = {"form": "profile", "name": "Ada", "theme": "dark", "timezone": "Asia/Kolkata"}
    browser.post(SETTINGS, data)

    page = browser.get(SETTINGS)
    assert 'data-theme="dark"' in page.text
    ada.refresh_from_db()
    assert (ada.theme, ada.timezone) == ("dark", "Asia/Kolkata")


def test_an_unknown_time_zone_is_refused(browser, ada):
    data = {"form": "profile", "name": "Ada", "theme": "dark", "timezone": "Mars/Olympus"}

    assert browser.post(SETTINGS, data).context["profile"].errors["timezone"]
    ada.refresh_from_db()
    assert ada.theme == "system"


def test_a_new_password_keeps_this_browser_and_ends_the_others(browser, ada):
    other = Client()
    other.force_login(ada)
    data = {"form": "password", "current": PASSWORD, "new": "another-battery-staple"}
    browser.post(SETTINGS, data)

    ada.refresh_from_db()
    assert ada.check_password("another-battery-staple")
    assert browser.get(SETTINGS).status_code == 200
    assert other.get(SETTINGS).status_code == 302
    assert AuditEntry.objects.get().act == "user.change_password"


@pytest.mark.parametrize(
    ("current", "new", "field"),
    [("wrong", "another-battery-staple", "current"), (PASSWORD, "password12", "new")],
)
def test_wrong_and_weak_passwords_are_refused(browser, ada, current, new, field):
    answer = browser.post(SETTINGS, {"form": "password", "current": current, "new": new})

    assert answer.context["password"].errors[field]
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


def test_posts_without_a_csrf_token_are_refused_in_words(ada):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    answer = client.post(SETTINGS, {"form": "profile"})

    assert answer.status_code == 403
    assert "This page was too old" in answer.text
