"""Hosted forms in a real browser: accessible in every state, without scripts, on other sites."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import expect

from leadsend.testing.browsing import LOOKS, overflow_of, violations_of
from leadsend.testing.factories import make_hosted_form
from leadsend.testing.page_story import ODD
from triggers.models import TriggerEvent

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FIELDS = [
    {"key": "name", "title": "Your name", "required": True},
    {"key": "email", "title": "E-mail address", "type": "email", "required": True},
    {"key": "company", "title": f"Company {ODD}"[:300], "help": ODD},
    {"key": "seats", "title": "How many people", "type": "number", "help": "About is enough."},
    {"key": "plan", "title": "Which plan", "type": "choice", "options": ["Small", "Large"]},
    {"key": "topic", "title": "Topic", "type": "choice", "options": list("ABCDEFG")},
    {"key": "start", "title": "When to start", "type": "date"},
    {"key": "phone", "title": "Phone", "type": "phone"},
    {"key": "message", "title": "Your question", "type": "long_text"},
    {"key": "mails", "title": "You may write to me", "type": "consent", "required": True},
]
CFG = {
    "title": "Talk to us",
    "intro": "Tell us what you need.\n\nWe answer within a day.",
    "fields": FIELDS,
    "thanks": "We write to you tomorrow.",
}


@pytest.fixture
def form():
    return make_hosted_form(cfg=CFG)


def fill(page):
    page.get_by_label("Your name").fill("Ada Byron")
    page.get_by_label("E-mail address").fill("ada@example.com")
    page.get_by_label("Large").check()
    page.get_by_label("You may write to me").check()


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_state_of_a_form_is_accessible(form, watched, width, scheme):
    window = watched(width=width, scheme=scheme, bypass_csp=True)
    page = window.open(f"/forms/{form.token}/")
    found = violations_of(page)
    wide = [overflow_of(page)]
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("Please look again at")
    found += violations_of(page)
    wide.append(overflow_of(page))
    page.get_by_role("alert").get_by_role("link", name="Your name").click()
    expect(page.get_by_label("Your name")).to_be_focused()
    fill(page)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("We write to you tomorrow.")).to_be_visible()
    found += violations_of(page)

    assert found == []
    assert max(wide) <= 0


def test_a_form_works_without_scripts(form, watched):
    page = watched(java_script_enabled=False).open(f"/forms/{form.token}/")

    fill(page)
    page.get_by_role("button", name="Send").click()

    expect(page.get_by_text("We write to you tomorrow.")).to_be_visible()
    assert TriggerEvent.objects.get().data["plan"] == "Large"


def test_a_form_makes_no_errors_and_asks_no_other_host(form, watched):
    window = watched()
    window.open(f"/forms/{form.token}/").wait_for_load_state("networkidle")

    assert window.complaints == []
    assert window.foreign == []


def test_a_form_is_shown_on_named_sites_only(form, watched, live_server):
    page_url = f"{live_server.url}/forms/{form.token}/"
    with site_that_frames(page_url) as port:
        # Publishing takes https only; the servers of these tests have none.
        form.cfg = {**CFG, "frames": [f"http://127.0.0.1:{port}"]}
        form.save()

        def is_shown_on(host):
            page = watched().page
            page.goto(f"http://{host}:{port}/")
            page.wait_for_load_state("networkidle")
            return (
                page.frame_locator("iframe").get_by_role("heading", name="Talk to us").is_visible()
            )

        assert is_shown_on("127.0.0.1")
        assert not is_shown_on("localhost")


@contextmanager
def site_that_frames(url):
    """Serve a page that holds another one, as somebody's website does; hand out its port."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f'<iframe title="Form" src="{url}"></iframe>'.encode())

        def log_message(self, *arguments):
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
