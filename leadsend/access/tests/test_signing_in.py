"""Signing in, and what stops guessing."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from leadsend.access.models import Organisation, SignInTry
from leadsend.access.signing_in import MAX_TRIES, WINDOW
from leadsend.lib import clock
from leadsend.testing.factories import PASSWORD, make_user

LOGIN = "/login/"
WRONG = "This e-mail and password do not fit together."
GUESS = "wrong"
LOCKED = "Too many wrong tries."


@pytest.fixture
def ada(db):
    Organisation.objects.create(name="Acme")
    return make_user("ada@example.com")


def _try(client, *, email="ada@example.com", password=GUESS, address="192.0.2.1", **headers):
    data = {"username": email, "password": password}
    return client.post(LOGIN, data, REMOTE_ADDR=address, **headers)


def test_the_right_password_signs_in_under_a_new_session_key(client, ada):
    client.get(LOGIN)
    answer = _try(client, password=PASSWORD)

    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(ada.pk)
    assert not SignInTry.objects.exists()


def test_the_e_mail_may_be_written_in_any_case(client, ada):
    assert _try(client, email="ADA@Example.com", password=PASSWORD).status_code == 302


def test_after_five_wrong_tries_the_right_password_is_refused_too(client, ada):
    for number in range(MAX_TRIES):
        assert WRONG in _try(client, address=f"192.0.2.{number}").text

    locked = _try(client, password=PASSWORD, address="192.0.2.99")

    assert locked.status_code == 429
    assert LOCKED in locked.text
    assert "_auth_user_id" not in client.session


def test_the_lock_opens_fifteen_minutes_after_the_tries(client, ada):
    for _ in range(MAX_TRIES + 3):
        _try(client)

    with time_machine.travel(clock.now() + WINDOW + timedelta(seconds=1)):
        assert _try(client, password=PASSWORD).status_code == 302


def test_an_address_that_guesses_at_many_accounts_is_locked(client, ada):
    for number in range(MAX_TRIES):
        _try(client, email=f"nobody{number}@example.com", HTTP_X_FORWARDED_FOR=f"10.0.0.{number}")

    assert _try(client, password=PASSWORD, HTTP_X_FORWARDED_FOR="10.9.9.9").status_code == 429
    assert _try(client, password=PASSWORD, address="192.0.2.2").status_code == 302


def test_accounts_that_do_not_exist_are_answered_like_those_that_do(client, ada):
    known = [_try(client, address="192.0.2.1") for _ in range(MAX_TRIES + 1)]
    unknown = [
        _try(client, email="ada@example.net", address="192.0.2.2") for _ in range(MAX_TRIES + 1)
    ]

    def told(answer):
        return answer.status_code, answer.context["form"].non_field_errors()

    assert [told(answer) for answer in known] == [told(answer) for answer in unknown]


def test_who_is_not_active_does_not_get_in(client, ada):
    ada.is_active = False
    ada.save(update_fields=["is_active"])

    assert WRONG in _try(client, password=PASSWORD).text


@pytest.mark.parametrize(
    ("asked", "reached"),
    [
        ("/runs/?q=a", "/runs/?q=a"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_sign_in_leads_on_to_pages_of_our_own_only(client, ada, asked, reached):
    data = {"username": ada.email, "password": PASSWORD, "next": asked}

    assert client.post(LOGIN, data)["Location"] == reached


def test_before_the_set_up_sign_in_leads_to_it(client, db):
    assert client.get(LOGIN)["Location"] == "/setup/"


@pytest.mark.parametrize("email", ["", "x", "a\0b@example.com", "<script>@x.y", "a" * 5000])
def test_what_is_no_e_mail_is_refused_with_words(client, ada, email):
    answer = _try(client, email=email)

    assert answer.status_code == 200
    assert answer.context["form"].errors
