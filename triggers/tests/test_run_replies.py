"""A webhook that is answered by its run: by a step of it, by its end, or after the wait."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, connection

from leadsend.lib.errors import PermanentError
from registry.actions.webhook_respond import WEBHOOK_RESPOND
from registry.sdk.faking import run_action
from runtime import webhook_answers
from runtime.draining import Engine, Options
from runtime.models import Execution, WebhookAnswer
from triggers.dispatch import take
from triggers.models import TriggerEvent
from triggers.tests.conftest import as_body
from triggers.tests.serving import by_asgi, by_view

pytestmark = pytest.mark.django_db(transaction=True)

BODY = as_body({"email": "ada@example.com", "score": 80})


@pytest.fixture(params=[by_asgi, by_view])
def send(request):
    return request.param


@contextmanager
def engine_at_work():
    engine = Engine(Options(take=take, poll_s=0.01))
    working = threading.Thread(target=engine.run)
    working.start()
    try:
        yield
    finally:
        engine.stop_claiming()
        working.join()
        engine.close()


def hook(make_workflow, *steps, wait_s=20, **trigger):
    """Publish a workflow whose webhook waits for it; return the webhook's token."""
    auth = {"mode": "none", "confirm_unauthenticated": True}
    cfg = {"auth": auth, "answer": "by_run", "longest_wait_s": wait_s}
    more = {"steps": list(steps)} if steps else {}
    workflow = make_workflow({"trigger_key": "webhook", "cfg": cfg, **trigger}, **more)
    [told] = workflow.version.answers["webhook_endpoints"]
    return told["url"].rpartition("/")[2]


def respond(**cfg):
    return {"kind": "action", "action_key": "webhook_respond", "cfg": cfg}


WAIT = {"kind": "delay", "cfg": {"for": {"value": 1, "unit": "hours"}}}
END = {"kind": "end", "cfg": {"output": {"score": "{{ event.score }}"}}}
STOP = {"kind": "end", "cfg": {"status": "failed", "message": "No budget: secret reasons."}}


def test_a_step_answers_and_the_run_goes_on(make_workflow, send):
    answer = respond(
        status=201, body={"lead": "{{ event.email }}"}, headers={"X-Lead": "{{ event.score }}"}
    )
    token = hook(make_workflow, answer, WAIT)

    with engine_at_work():
        reply = send("POST", {}, BODY, address=token)

    assert (reply.status, reply.body) == (201, {"lead": "ada@example.com"})
    assert reply.headers["x-lead"] == "80"
    assert Execution.objects.get().status == "WAITING"


def test_without_such_a_step_the_output_at_the_end_is_the_answer(make_workflow, send):
    token = hook(make_workflow, END)

    with engine_at_work():
        reply = send("POST", {}, BODY, address=token)

    assert (reply.status, reply.body) == (200, {"score": 80})


def test_text_is_sent_as_text_that_no_browser_takes_for_a_page(make_workflow, send):
    token = hook(make_workflow, respond(body_kind="text", body="<b>Thank you</b>"))

    with engine_at_work():
        reply = send("POST", {}, BODY, address=token)

    assert reply.body == "<b>Thank you</b>"
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"


def test_a_run_that_fails_says_so_and_not_why(make_workflow, send):
    token = hook(make_workflow, STOP)

    with engine_at_work():
        reply = send("POST", {}, BODY, address=token)

    assert Execution.objects.get().status == "FAILED"
    assert (reply.status, reply.body["code"]) == (500, "run_failed")
    assert "budget" not in reply.body["message"]


def test_who_waits_too_long_is_told_that_it_goes_on(make_workflow, send):
    token = hook(make_workflow, WAIT, wait_s=1)

    with engine_at_work():
        reply = send("POST", {}, BODY, address=token)

    event = TriggerEvent.objects.get()
    assert reply.status == 202
    assert reply.body == {"event_id": str(event.pk), "code": "still_running"}


def test_an_event_that_starts_nothing_is_answered_at_once(make_workflow, send):
    keep = {"all": [{"left": "{{ event.score }}", "op": "gt", "right": 90}]}
    token = hook(make_workflow, filter_conditions=keep)

    with engine_at_work():
        reply = send("POST", {}, BODY, address=token)

    assert reply.status == 202
    assert (reply.body["started"], reply.body["code"]) == (False, "filtered_out")


def test_a_repeated_event_hears_the_same_and_starts_nothing(make_workflow, send):
    token = hook(make_workflow, respond(status=203, body={"now": "{{ now }}"}))
    key = {"idempotency-key": "order-1"}

    with engine_at_work():
        first = send("POST", key, BODY, address=token)
        again = send("POST", key, BODY, address=token)

    assert (first.status, first.body) == (again.status, again.body)
    assert Execution.objects.count() == 1


def test_the_first_answer_of_a_run_counts(make_workflow, send):
    token = hook(make_workflow, respond(body="first"), respond(body="second"))

    with engine_at_work():
        reply = send("POST", {}, BODY, address=token)

    assert reply.body == "first"
    assert WebhookAnswer.objects.count() == 1


def test_an_answer_without_content_has_none(make_workflow, send):
    token = hook(make_workflow, respond(status=204))

    with engine_at_work():
        reply = send("POST", {}, BODY, address=token)

    assert (reply.status, reply.body) == (204, None)


def test_a_database_that_stumbles_costs_time_only(make_workflow, send, monkeypatch):
    token = hook(make_workflow)
    real, stumbles = webhook_answers.find, iter([True, True])

    def stumbling(runs):
        if next(stumbles, False):
            raise DatabaseError("away")
        return real(runs)

    monkeypatch.setattr(webhook_answers, "find", stumbling)

    with engine_at_work():
        assert send("POST", {}, BODY, address=token).status == 200


@pytest.mark.parametrize(
    "inputs",
    [
        {"status": 99},
        {"status": 700},
        {"status": True},
        {"headers": {"Set-Cookie": "a=b"}},
        {"headers": {"Content-Type": "text/html"}},
        {"headers": {"Access-Control-Allow-Origin": "*"}},
        {"headers": {"X-Lead": "two\r\nlines"}},
        {"headers": {"X-Lead": "é"}},
    ],
)
def test_what_an_answer_may_not_say_fails_its_step(inputs):
    with pytest.raises(PermanentError):
        run_action(WEBHOOK_RESPOND, inputs)


def test_an_answer_that_is_too_large_fails_its_step():
    connection.ensure_connection()
    given = {"status": 200, "headers": {}, "body": "x" * 300_000, "is_text": False}
    run = Execution(pk=None)

    with pytest.raises(PermanentError, match="256 KiB"):
        webhook_answers.keep(
            connection.connection, execution_id=run.pk, project_id=run.pk, given=given
        )
