from __future__ import annotations

from typing import Any

import pytest

from leadsend.lib import clock
from leadsend.lib.input_guard import MAX_BYTES
from leadsend.testing.dispatching import dispatch_all
from runtime.models import Execution
from triggers import endpoints
from triggers.models import InboxEntry, TriggerEvent, WebhookEndpoint
from triggers.tests.conftest import as_body, signed
from triggers.tests.serving import ask, ask_all
from workflows import publishing

pytestmark = pytest.mark.django_db(transaction=True)

HOOK = "/hooks/token-1"
LEAD = {"email": "ada@example.com", "score": 80}
BODY = as_body(LEAD)


@pytest.fixture
def open_endpoint(make_endpoint):
    return make_endpoint(mode="none")


def test_a_signed_post_to_a_published_address_ends_in_a_pending_execution(make_workflow):
    workflow = make_workflow("webhook")
    [told] = workflow.version.answers["webhook_endpoints"]
    path = "/hooks/" + told["url"].rpartition("/")[2]

    reply = ask(path, body=BODY, headers=signed(told["auth"]["secret"], BODY), query=b"a=1&a=2")

    assert reply.status == 202
    event: Any = TriggerEvent.objects.get(pk=reply.body["event_id"])
    assert event.data == LEAD
    assert event.request["method"] == "POST"
    assert event.request["query"] == {"a": ["1", "2"]}
    assert event.request["ip"] == "192.0.2.7"
    assert "webhook-signature" not in event.request["headers"]
    assert dispatch_all() == 1
    execution = Execution.objects.get()
    assert (execution.status, execution.context_data) == ("PENDING", LEAD)
    assert execution.trigger_type == "webhook"


def test_the_same_message_again_gets_the_first_answer(make_endpoint):
    headers = signed(make_endpoint().secret, BODY)
    first = ask(HOOK, body=BODY, headers=headers)
    second = ask(HOOK, body=BODY, headers=headers)

    assert (first.status, second.status) == (202, 200)
    assert first.body == second.body
    assert TriggerEvent.objects.count() == InboxEntry.objects.count() == 1


def test_many_at_once_are_each_answered_with_their_own_event(open_endpoint):
    requests: list[Any] = [(HOOK, "POST", as_body({"n": n}), {}, b"", None) for n in range(50)]
    replies = ask_all(requests)

    data = dict(TriggerEvent.objects.values_list("id", "data__n"))
    numbers = {str(event_id): number for event_id, number in data.items()}
    assert [numbers[reply.body["event_id"]] for reply in replies] == list(range(50))


def test_an_unsigned_idempotency_key_cannot_make_a_signed_message_new(make_endpoint):
    headers = signed(make_endpoint(template="header:X-Id").secret, BODY)
    ask(HOOK, body=BODY, headers={**headers, "idempotency-key": "a", "x-id": "a"})
    again = ask(HOOK, body=BODY, headers={**headers, "idempotency-key": "b", "x-id": "b"})

    assert again.status == 200
    assert TriggerEvent.objects.count() == 1


def test_the_old_secret_is_good_until_it_runs_out(make_endpoint):
    endpoint = make_endpoint()
    new = endpoints.rotate(endpoint)
    old = ask(HOOK, body=BODY, headers=signed(endpoint.secret, BODY, message_id="1"))
    fresh = ask(HOOK, body=BODY, headers=signed(new, BODY, message_id="2"))
    WebhookEndpoint.objects.update(previous_valid_until=clock.now())
    endpoints._kept.clear()
    late = ask(HOOK, body=BODY, headers=signed(endpoint.secret, BODY, message_id="3"))

    assert [old.status, fresh.status, late.status] == [202, 202, 401]


def test_a_retired_workflow_answers_404_at_once(make_workflow):
    workflow = make_workflow("webhook")
    [told] = workflow.version.answers["webhook_endpoints"]
    path = "/hooks/" + told["url"].rpartition("/")[2]
    assert ask(path, body=BODY).status == 401
    publishing.retire(workflow)

    assert ask(path, body=BODY).status == 404


def test_ten_mebibytes_are_accepted_and_one_byte_more_is_413(open_endpoint):
    whole = b'"' + b"x" * (MAX_BYTES - 2) + b'"'
    assert ask(HOOK, body=whole).status == 202
    assert ask(HOOK, body=whole + b" ").status == 413
    assert ask(HOOK, parts=[whole[: MAX_BYTES // 2], whole[MAX_BYTES // 2 :], b" "]).status == 413
    assert ask(HOOK, body=b"1", headers={"content-length": "9" * 30}).status == 413
    assert TriggerEvent.objects.count() == 1


def test_odd_characters_in_headers_and_query_are_stored(open_endpoint):
    headers = {"x-odd": "a\x00\xff", "idempotency-key": "k\x00\xff"}
    reply = ask(HOOK, body=BODY, headers=headers, query=b"%00=%ff&\xff=%ed%a0%80")

    assert reply.status == 202
