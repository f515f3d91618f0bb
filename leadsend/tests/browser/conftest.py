"""A real browser against a live server, signed in as people of the page story."""

from __future__ import annotations

import os

import pytest
from django.conf import settings
from django.test import Client

from leadsend.testing.browsing import Watched
from leadsend.testing.page_story import tell_page_story

# Playwright's loop runs in the test's thread, which Django would take for asynchronous code.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture
def story(transactional_db):
    return tell_page_story()


@pytest.fixture
def cookies(live_server):
    """Return a function that signs a user in and returns the browser's cookies."""

    def of(user):
        client = Client()
        client.force_login(user)
        value = client.cookies[settings.SESSION_COOKIE_NAME].value
        return [{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": live_server.url}]

    return of


@pytest.fixture
def watched(browser, live_server):
    """Return a function that opens a browser window of its own and watches it."""
    contexts = []

    def of(*, width=1280, scheme="light", cookies=(), **options):
        size = {"width": width, "height": 820}
        context = browser.new_context(viewport=size, color_scheme=scheme, **options)
        context.add_cookies(list(cookies))
        contexts.append(context)
        return Watched(context.new_page(), live_server.url)

    yield of
    for context in contexts:
        context.close()
