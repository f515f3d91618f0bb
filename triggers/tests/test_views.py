from __future__ import annotations

import pytest
from django.test import RequestFactory

from leadsend.lib.input_guard import MAX_BYTES
from triggers.models import TriggerEvent
from triggers.tests.conftest import as_body, signed
from triggers.views import receive_hook

BODY = as_body({"email": "ada@example.com"})


def post(token, body, headers, content_type="application/json"):
    request = RequestFactory().post(
        f"/hooks/{token}", body, content_type=content_type, headers=headers
    )
    return receive_hook(request, token)


def test_the_view_accepts_what_the_server_accepts(make_endpoint):
    headers = signed(make_endpoint().secret, BODY)
    del headers["content-type"]

    assert post("token-1", BODY, headers).status_code == 202
    assert post("token-1", BODY, headers).status_code == 200
    assert TriggerEvent.objects.get().data == {"email": "ada@example.com"}


@pytest.mark.django_db
def test_the_view_refuses_in_the_same_words(make_endpoint):
    make_endpoint()

    assert post("other", BODY, {}).status_code == 404
    assert post("token-1", BODY, {}).status_code == 401
    assert post("token-1", BODY, {}, "application/pdf").status_code == 415


def test_the_view_has_the_same_limit(make_endpoint):
    make_endpoint(mode="none")
    whole = b'"' + b"x" * (MAX_BYTES - 2) + b'"'

    assert post("token-1", whole, {}).status_code == 202
    assert post("token-1", whole + b" ", {}).status_code == 413
