"""The admin in a real browser: our tokens over stock, and what axe-core says of it."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # no types
from django.urls import reverse

from leadsend.access.models import User
from runtime.models import Execution

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# WCAG 2.2 A and AA; stock's habits beyond that are its own.
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_admin(story, browser, cookies, live_server, scheme):
    root = User.objects.create_superuser("root@example.com", name="Root")
    run = Execution.objects.order_by("-id")[0]
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    context.add_cookies(cookies(root))
    page = context.new_page()
    found = []

    for address in (
        reverse("admin:index"),
        reverse("admin:runtime_execution_changelist"),
        reverse("admin:workflows_workflow_changelist"),
        reverse("admin:runtime_execution_change", args=[run.pk]),
    ):
        assert page.goto(live_server.url + address).status == 200
        for rule in Axe().run(page, options=RULES).response["violations"]:
            found += [f"{address} {rule['id']}: {node['html'][:90]}" for node in rule["nodes"]]
    context.close()

    assert "\n".join(found) == ""
