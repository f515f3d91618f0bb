"""Hosted forms as visitors meet them: shown, filled in, refused in words, kept."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test import Client

from leadsend.lib.errors import InvalidInput, Unavailable
from leadsend.testing.factories import make_hosted_form, make_user, make_workflow
from triggers import form_pages, hosted_forms, replaying
from triggers.inbox import AWAY
from triggers.models import HostedForm, InboxEntry, Subscription, TriggerEvent
from triggers.pacing import Pace
from workflows import publishing

FIELDS: list[dict[str, Any]] = [
    {"key": "name", "title": "Your <b>name</b>", "required": True},
    {"key": "email", "title": "E-mail", "type": "email", "required": True},
    {"key": "seats", "title": "Seats", "type": "number"},
    {"key": "plan", "title": "Plan", "type": "choice", "options": ["small", "large"]},
    {"key": "start", "title": "Start", "type": "date"},
    {"key": "phone", "title": "Phone", "type": "phone"},
    {"key": "note", "title": "Anything else?", "type": "long_text", "help": "Be <brief>."},
    {"key": "mails", "title": "You may write to me", "type": "consent", "required": True},
]
FILLED = {
    "name": "Ada Byron",
    "email": "ada@example.com",
    "seats": "12",
    "plan": "large",
    "start": "2027-03-01",
    "phone": "+49 (0)30 / 123-456",
    "note": "two\nlines",
    "mails": "on",
}
DATA = {**FILLED, "seats": 12, "mails": True}


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """Give every test addresses that have sent nothing yet."""
    monkeypatch.setattr(form_pages, "_pace", Pace())


@pytest.fixture
def form(db):
    return make_hosted_form(cfg={"title": "Get <started>", "fields": FIELDS, "thanks": "We call."})


@pytest.fixture
def visitor():
    return Client(enforce_csrf_checks=True)


def address(form):
    return f"/forms/{form.token}/"


def send(client, form, fields=FILLED, **more):
    return client.post(address(form), {**fields, **more})


def opened(client, form):
    """Open the page; return the id that it was given."""
    found = re.search('name="send-id" value="([^"]+)"', client.get(address(form)).text)
    assert found is not None
    return found[1]


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


def test_the_page_shows_every_field_and_escapes_what_its_owner_wrote(form, visitor):
    page = text_of(visitor.get(address(form)))

    assert '<h1 dir="auto">Get &lt;started&gt;</h1>' in page
    assert "Your &lt;b&gt;name&lt;/b&gt;" in page
    assert "Be &lt;brief&gt;." in page
    for field in FIELDS:
        assert f'name="{field["key"]}"' in page
    assert "Seats (optional)" in page


def test_what_is_sent_is_an_event_with_typed_values(form, visitor):
    response = send(visitor, form)

    assert (response.status_code, response["Location"]) == (302, f"{address(form)}thanks/")
    event = TriggerEvent.objects.get()
    assert event.data == DATA
    assert (event.source, event.trigger_type) == (f"form:{form.pk}", "form")
    assert event.request["method"] == "POST"
    assert InboxEntry.objects.get().event_id == event.pk
    assert "We call." in text_of(visitor.get(response["Location"]))


def test_fields_that_were_left_empty_are_there_all_the_same(form, visitor):
    needed = {name: FILLED[name] for name in ("name", "email", "mails")}

    send(visitor, form, needed)

    assert TriggerEvent.objects.get().data == {
        "name": "Ada Byron",
        "email": "ada@example.com",
        "seats": None,
        "plan": "",
        "start": None,
        "phone": "",
        "note": "",
        "mails": True,
    }


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "", "Fill this in."),
        ("name", "x" * 501, "at most 500 characters"),
        ("name", "Ada\0", "Null characters are not allowed."),
        ("email", "ada", "Enter a valid email address."),
        ("seats", "many", "Enter a number."),
        ("seats", "nan", "Enter a number."),
        ("seats", "1e999", "Enter a number."),
        ("plan", "huge", "Select a valid choice."),
        ("start", "31.02.2027", "Enter a valid date."),
        ("phone", "call me", "Write a phone number"),
        ("note", "x" * 10_001, "at most 10000 characters"),
        ("mails", "", "Tick this to go on"),
    ],
)
def test_bad_answers_are_told_beside_their_field_and_nothing_is_kept(
    form, visitor, field, value, words
):
    response = send(visitor, form, **{field: value})

    assert response.status_code == 400
    page = text_of(response)
    assert words in page
    assert "Nothing was sent yet." in page
    assert f'href="#id_{field}"' in page
    assert 'value="ada@example.com"' in page or field == "email"
    assert not TriggerEvent.objects.exists()


def test_an_address_fills_in_ahead_but_never_a_consent(form, visitor):
    page = text_of(
        visitor.get(address(form), {"email": "ada@example.com", "mails": "on", "x": "y"})
    )

    assert 'value="ada@example.com"' in page
    assert "checked" not in page


def test_the_same_answers_from_one_opened_page_count_once(form, visitor):
    again = {"send-id": opened(visitor, form)}

    send(visitor, form, **again)
    send(visitor, form, **again)
    assert TriggerEvent.objects.count() == 1

    send(visitor, form, **again, name="Grace Hopper")
    send(visitor, form, **{"send-id": opened(visitor, form)})
    assert TriggerEvent.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_answers_that_are_sent_twice_at_once_count_once():
    form = make_hosted_form()

    def press(_):
        try:
            return (
                Client()
                .post(address(form), {"email": "ada@example.com", "send-id": "one"})
                .status_code
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(press, range(6))) == {302}
    assert TriggerEvent.objects.count() == 1
    assert InboxEntry.objects.count() == 1


def test_a_program_that_fills_in_everything_is_thanked_and_set_aside(form, visitor):
    response = send(visitor, form, **{"homepage-url": "http://spam.example"})

    assert response.status_code == 302
    event = TriggerEvent.objects.get()
    assert event.fate is not None
    assert event.fate["code"] == "spam"
    assert event.data == DATA
    assert not InboxEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_person_lets_what_was_set_aside_in():
    form = make_hosted_form()
    Client().post(address(form), {"email": "ada@example.com", "homepage-url": "x"})

    replaying.replay_event(TriggerEvent.objects.get(), user=make_user())

    assert InboxEntry.objects.get().replay == 1


def test_who_sends_too_often_is_asked_to_wait_and_loses_nothing(form, visitor):
    form.cfg["per_minute"] = 2
    form.save()
    send(visitor, form)
    send(visitor, form)

    response = send(visitor, form, name="Third")

    assert response.status_code == 429
    assert 1 <= int(response["Retry-After"]) <= 30
    assert "Wait a minute" in text_of(response)
    assert 'value="Third"' in text_of(response)
    assert visitor.post(address(form), FILLED, REMOTE_ADDR="192.0.2.9").status_code == 302
    assert TriggerEvent.objects.count() == 3


def test_a_full_queue_is_told_in_words(form, visitor, settings):
    settings.LEADSEND_MOST_QUEUED = 1
    send(visitor, form)

    response = send(visitor, form)

    assert response.status_code == 429
    assert TriggerEvent.objects.count() == 1


def test_while_nothing_can_be_saved_the_answers_stay_on_the_page(form, visitor, monkeypatch):
    def away(events):
        raise Unavailable(AWAY)

    monkeypatch.setattr("triggers.joint_commit.inbox.accept", away)

    response = send(visitor, form)

    assert response.status_code == 503
    assert response["Retry-After"]
    assert 'value="ada@example.com"' in text_of(response)


def test_a_database_that_is_away_is_told_without_it(visitor, monkeypatch):
    def away(token):
        raise OperationalError from psycopg.OperationalError()

    monkeypatch.setattr(hosted_forms, "find", away)

    response = visitor.get("/forms/any/")

    assert response.status_code == 503
    assert "Go back and send it again" in text_of(response)


def test_spam_is_refused_like_all_else_while_the_database_is_away(form, visitor, monkeypatch):
    def away(**fields):
        raise OperationalError

    monkeypatch.setattr(TriggerEvent.objects, "create", away)

    assert send(visitor, form, **{"homepage-url": "x"}).status_code == 503


def test_only_named_sites_may_frame_a_form(form, visitor):
    alone = visitor.get(address(form))
    form.cfg["frames"] = ["https://example.com", "https://shop.example.com:8443"]
    form.save()
    framed = visitor.get(address(form))

    assert "frame-ancestors 'none'" in alone["Content-Security-Policy"]
    assert (
        "frame-ancestors 'self' https://example.com https://shop.example.com:8443"
        in framed["Content-Security-Policy"]
    )
    assert "X-Frame-Options" not in framed


def test_a_form_leads_where_its_owner_says_and_its_policy_allows_just_that(form, visitor):
    form.cfg["redirect"] = "https://example.com/thanks?from=form"
    form.save()

    response = send(visitor, form)

    assert response["Location"] == "https://example.com/thanks?from=form"
    assert "form-action 'self' https://example.com;" in response["Content-Security-Policy"]


def test_a_closed_or_unknown_form_is_not_found(form, visitor):
    form.is_active = False
    form.save()

    assert send(visitor, form).status_code == 404
    assert visitor.get("/forms/nothing/").status_code == 404
    assert visitor.get("/forms/nothing/thanks/").status_code == 404
    assert visitor.put(address(form)).status_code == 405


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b'{"email": "ada@example.com"}', 400),
        ("text/plain", b"hello", 400),
        ("multipart/form-data", b"no boundary", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nbroken", 400),
        ("application/x-www-form-urlencoded", b"&".join(b"f%d=1" % n for n in range(1500)), 400),
        ("application/x-www-form-urlencoded", b"email=%FF%FE&name=%00&seats=%ED%A0%80", 400),
        ("application/x-www-form-urlencoded; charset=none-such", b"email=a", 400),
        ("application/x-www-form-urlencoded; charset=utf-7", b"email=+AGE-", 400),
    ],
)
def test_hostile_bodies_are_refused_as_what_they_are(form, visitor, kind, body, status):
    response = visitor.generic("POST", address(form), body, content_type=kind)

    assert response.status_code == status
    assert not TriggerEvent.objects.exists()


def document(*fields, **cfg):
    trigger = {
        "id": "ask",
        "trigger_key": "form",
        "cfg": {"title": "Contact us", "fields": list(fields), **cfg},
    }
    who = {"path": "who", "value": "{{ event.email }}"}
    step = {"kind": "action", "action_key": "set_fields", "cfg": {"fields": [who]}}
    return {"name": "Contact", "triggers": [trigger], "steps": [step]}


EMAIL = {"key": "email", "title": "E-mail", "type": "email"}


@pytest.mark.django_db
def test_publishing_gives_an_address_that_stays(settings):
    settings.PUBLIC_URL = "https://leads.example.com"
    user = make_user()
    workflow = make_workflow(document=document(EMAIL), user=user)

    told = publishing.publish(workflow, user=user).answers["forms"]

    form = HostedForm.objects.get()
    assert told == [
        {
            "id": str(form.pk),
            "trigger_id": "ask",
            "url": f"https://leads.example.com/forms/{form.token}/",
        }
    ]
    assert Subscription.objects.get().source == f"form:{form.pk}"
    publishing.retire(workflow, user=user)
    assert not HostedForm.objects.filter(is_active=True).exists()
    publishing.revive(workflow, user=user)
    assert HostedForm.objects.get(is_active=True).token == form.token


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "cfg", "words"),
    [
        ((EMAIL, EMAIL), {}, "There are two fields “email”"),
        (({"key": "plan", "title": "Plan", "type": "choice"},), {}, "options"),
        (({"key": "E-Mail", "title": "E-mail"},), {}, "cfg/fields/0/key"),
        ((), {}, "fields"),
        ((EMAIL,), {"redirect": "javascript:alert(1)"}, "redirect"),
        ((EMAIL,), {"redirect": "https://example.com; default-src *"}, "redirect"),
        ((EMAIL,), {"frames": ["https://example.com; script-src *"]}, "frames"),
    ],
)
def test_a_form_that_cannot_be_shown_is_refused_when_it_is_published(fields, cfg, words):
    user = make_user()
    workflow = make_workflow(document=document(*fields, **cfg), user=user)

    with pytest.raises(InvalidInput) as refusal:
        publishing.publish(workflow, user=user)

    told = " ".join(f"{one.path} {one.message}" for one in refusal.value.problems)
    assert words in told
    assert not HostedForm.objects.exists()
