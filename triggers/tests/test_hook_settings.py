"""What an endpoint's settings allow: websites, how often, how large; the same by both servers."""

from __future__ import annotations

import pytest

from triggers import hooks
from triggers.models import TriggerEvent
from triggers.pacing import Pace
from triggers.tests.conftest import as_body, signed
from triggers.tests.serving import by_asgi, by_view

pytestmark = pytest.mark.django_db(transaction=True)

BODY = as_body({"email": "ada@example.com"})
SHOP = "https://shop.example"


@pytest.fixture(params=[by_asgi, by_view])
def send(request):
    return request.param


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    monkeypatch.setattr(hooks, "_pace", Pace())


@pytest.fixture
def endpoint(make_endpoint):
    """Return a function that makes an endpoint anybody may send to, with more settings."""

    def make(**settings):
        row = make_endpoint(mode="none", methods=["POST", "PUT"])
        for name, value in settings.items():
            setattr(row, name, value)
        row.save()
        return row

    return make


ASKED = {"origin": SHOP, "access-control-request-method": "POST"}


def test_a_browser_is_told_that_a_named_website_may_send(endpoint, send):
    endpoint(origins=[SHOP])

    said = send("OPTIONS", ASKED, b"")

    assert said.status == 204
    assert said.headers["access-control-allow-origin"] == SHOP
    assert said.headers["access-control-allow-methods"] == "POST, PUT"
    assert "content-type" in said.headers["access-control-allow-headers"]
    assert not TriggerEvent.objects.exists()


def test_a_script_of_a_named_website_can_read_the_answer_also_a_refusal(endpoint, send):
    endpoint(origins=[SHOP])

    accepted = send("POST", {"origin": SHOP}, BODY)
    refused = send("POST", {"origin": SHOP}, b"{broken")

    assert (accepted.status, refused.status) == (202, 400)
    for said in (accepted, refused):
        assert said.headers["access-control-allow-origin"] == SHOP
        assert said.headers["vary"] == "Origin"


@pytest.mark.parametrize("origins", [[], ["https://other.example"]])
def test_other_websites_get_no_leave(endpoint, send, origins):
    endpoint(origins=origins)

    asked = send("OPTIONS", ASKED, b"")
    sent = send("POST", {"origin": SHOP}, BODY)

    assert asked.status == 405
    assert "access-control-allow-origin" not in asked.headers
    assert "access-control-allow-origin" not in sent.headers


def test_all_websites_may_be_allowed(endpoint, send):
    endpoint(origins=["*"])

    assert send("OPTIONS", ASKED, b"").headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in send("POST", {}, BODY).headers


def test_more_events_than_a_minute_allows_are_sent_again_later(endpoint, send):
    endpoint(per_minute=2)

    said = [send("POST", {}, BODY) for _ in range(3)]

    assert [one.status for one in said] == [202, 202, 429]
    assert said[-1].body["code"] == "rate_limited"
    assert 1 <= int(said[-1].headers["retry-after"]) <= 30
    assert TriggerEvent.objects.count() == 2


def test_who_cannot_prove_himself_uses_nothing_up(make_endpoint, send):
    row = make_endpoint()
    row.per_minute = 1
    row.save()

    refused = [send("POST", {}, BODY).status for _ in range(5)]

    assert refused == [401] * 5
    assert send("POST", signed(row.secret, BODY), BODY).status == 202


def test_a_body_above_the_endpoints_own_limit_is_refused(endpoint, send):
    endpoint(most_bytes=1024)
    fits = b'"' + b"x" * 1022 + b'"'

    assert send("POST", {}, fits).status == 202
    refused = send("POST", {}, fits + b" ")
    assert refused.status == 413
    assert "1024 bytes" in refused.body["message"]


def test_publishing_keeps_the_settings(make_workflow):
    cfg = {"origins": [SHOP], "per_minute": 30, "most_kb": 64, "auth": {"mode": "github"}}
    workflow = make_workflow({"trigger_key": "webhook", "cfg": cfg})

    [told] = workflow.version.answers["webhook_endpoints"]

    assert told["auth"]["mode"] == "github"
    row = hooks.endpoint_of(told["url"].rpartition("/")[2])
    assert (row.origins, row.per_minute, row.most_bytes) == (frozenset({SHOP}), 30, 65_536)
