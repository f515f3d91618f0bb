from __future__ import annotations

import asyncio
from typing import Any

from django.http import HttpResponse
from django.test import RequestFactory

from leadsend.lib.headers import CONTENT_SECURITY_POLICY, SecurityHeadersMiddleware


def answered(view: Any) -> Any:
    return SecurityHeadersMiddleware(view)(RequestFactory().get("/"))


def test_an_answer_carries_a_policy_without_inline_script():
    response = answered(lambda request: HttpResponse())

    assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "camera=()" in response.headers["Permissions-Policy"]


def test_the_policy_of_a_view_stays():
    own = {"Content-Security-Policy": "sandbox"}

    response = answered(lambda request: HttpResponse(headers=own))

    assert response.headers["Content-Security-Policy"] == "sandbox"


def test_it_works_under_asgi():
    async def view(request):
        await asyncio.sleep(0)
        return HttpResponse()

    response = asyncio.run(answered(view))

    assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
