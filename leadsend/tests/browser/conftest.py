"""A real browser against a live server, signed in as people of the page story."""

from __future__ import annotations

import os

import pytest
from django.conf import settings
from django.test import Client

from devtools.browser import find_browser
from leadsend.testing.page_story import tell_page_story

# Playwright's loop runs in the test's thread, which Django would take for asynchronous code.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser_type_launch_args():
    """How Chromium is started; it must be on PATH."""
    program = find_browser()
    assert program is not None, "Browser tests need Chromium: run ./dev setup."
    return {"executable_path": str(program), "args": _QUIET}


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
