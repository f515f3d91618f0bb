"""What a webhook's owner sees of requests that started nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leadsend.lib import clock, ids
from leadsend.testing.dispatching import dispatch_all
from triggers import deliveries, refusals
from triggers.models import WebhookEndpoint, WebhookRefusal
from triggers.refusals import Refusals
from triggers.tests.conftest import as_body, signed
from triggers.tests.serving import by_asgi, by_view

pytestmark = pytest.mark.django_db(transaction=True)

BODY = as_body({"email": "ada@example.com"})


@pytest.fixture(autouse=True)
def none_left():
    refusals.refusals._counts.clear()
    yield
    refusals.refusals._counts.clear()


def told(endpoint):
    refusals.refusals.write()
    return [(one.status, one.code, one.count) for one in deliveries.of_endpoint(endpoint)]


@pytest.mark.parametrize("send", [by_asgi, by_view])
def test_what_was_refused_is_told_with_its_reason(make_endpoint, send):
    endpoint = make_endpoint()
    for _ in range(3):
        send("POST", {"webhook-id": "x"}, BODY)
    send("PUT", {}, BODY)

    assert sorted(told(endpoint)) == [(401, "signature_refused", 3), (405, "method_not_allowed", 1)]
    assert all(row.message.endswith(".") for row in WebhookRefusal.objects.all())


@pytest.mark.parametrize("send", [by_asgi, by_view])
def test_a_repeat_is_told_with_the_first_event(make_endpoint, send):
    endpoint = make_endpoint()
    headers = signed(endpoint.secret, BODY) | {"content-type": "application/json"}
    first, again = send("POST", headers, BODY), send("POST", headers, BODY)

    assert (first.status, again.status) == (202, 200)
    assert told(endpoint) == [(200, "repeated", 1), (202, "undecided", 1)]
    assert str(WebhookRefusal.objects.get().event_id) == first.body["event_id"]


def test_an_event_is_told_with_what_came_of_it(make_workflow):
    never = {
        "trigger_key": "webhook",
        "cfg": {"auth": {"mode": "none", "confirm_unauthenticated": True}},
    }
    workflow = make_workflow(
        {**never, "filter_conditions": {"all": [{"left": "{{ event.n }}", "op": "gt", "right": 5}]}}
    )
    [shown] = workflow.version.answers["webhook_endpoints"]
    endpoint = WebhookEndpoint.objects.get()
    address = shown["url"].rpartition("/")[2]
    for number in (9, 1):
        by_asgi("POST", {"content-type": "application/json"}, as_body({"n": number}), address)
    dispatch_all()

    assert [code for _, code, _ in told(endpoint)] == ["filtered_out", "started"]
    assert "1" in deliveries.of_endpoint(endpoint)[0].message


def note(counted, number=0):
    counted.note(
        endpoint_id=ids.uuid7(int(number)),
        project_id=ids.uuid7(),
        status=401,
        code="x",
        message="No.",
    )


def test_a_flood_of_kinds_is_cut_off():
    counted = Refusals()
    for _ in range(1_500):
        note(counted)

    assert len(counted._counts) == 1_000


def test_nothing_to_write_is_no_write(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert Refusals().write() == 0


def test_old_ones_are_forgotten(make_endpoint):
    endpoint = make_endpoint()
    by_view("PUT", {}, BODY)
    refusals.refusals.write()
    old = WebhookRefusal.objects.get()
    old.pk, old.received_at = ids.uuid7(), clock.now() - timedelta(days=15)
    old.save(force_insert=True)

    assert refusals.forget_refusals() == 1
    assert [code for _, code, _ in told(endpoint)] == ["method_not_allowed"]
