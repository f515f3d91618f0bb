"""The page of a run in a real browser follows it, with websockets and without them.

Before anything changes the browser's clock is stopped, and goes on only as far as the test lets
it. So a refresh says by its moment where it came from: the server's word is heeded after 0.3 s, a
look of the page's own comes after 3 s, or 15 s where it has a socket.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from leadsend.testing.stack import until
from leadsend.tests.scenarios.conftest import World

pytestmark = [pytest.mark.scenario]

WAITING = {
    "name": "Waits for an hour",
    "triggers": ["manual"],
    "steps": [{"id": "wait", "kind": "delay", "cfg": {"for": "1h"}}],
}
TOLD_MS = 300
POLLED_MS = 15_000


@pytest.fixture
def page(world: World, browser: Browser) -> Iterator[Page]:
    """Hand out a page of the demo owner, signed in."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{world.stack.url}/login/")
    page.get_by_label("E-mail").fill(world.demo["UX_USER"])
    page.get_by_label("Password", exact=True).fill(world.demo["UX_PASSWORD"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{world.stack.url}/")
    yield page
    context.close()


def test_a_page_is_told_of_a_change(world: World, page: Page) -> None:
    if world.stack.broker != "redis":
        pytest.skip("Without Redis nobody is told; the other test shows what a page does then.")
    run = waiting_run(world)
    told: list[str | bytes] = []
    # Playwright takes no built-in method for a listener.
    page.on(
        "websocket", lambda socket: socket.on("framereceived", lambda said: told.extend([said]))
    )
    page.clock.install()
    page.goto(f"{world.stack.url}/runs/{run}/")
    expect_state(page, "Waiting")
    hear(page, told, "the state that the page shows already")
    stop_clock(page)

    cancel(world, run)
    hear(page, told, "the end")
    page.clock.run_for(TOLD_MS)

    expect_state(page, "Cancelled")
    assert page.locator("[data-live]").count() == 0


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_page_that_is_not_told_looks_for_itself(
    world: World, page: Page, is_refused: bool
) -> None:
    if world.stack.broker == "redis" and not is_refused:
        pytest.skip("With Redis and a socket the page is told; the other test shows that.")
    run = waiting_run(world)
    if is_refused:
        page.route_web_socket("**/ws/**", lambda socket: socket.close())
    page.clock.install()
    page.goto(f"{world.stack.url}/runs/{run}/")
    expect_state(page, "Waiting")
    stop_clock(page)

    cancel(world, run)
    page.clock.run_for(POLLED_MS)

    expect_state(page, "Cancelled")


def stop_clock(page: Page) -> None:
    """Stop the page's clock, past the moment up to which it takes no notice of its socket."""
    now_ms: float = page.evaluate("Date.now()")
    page.clock.pause_at(datetime.fromtimestamp((now_ms + TOLD_MS) / 1000, tz=UTC))


def hear(page: Page, told: list[str | bytes], what: str) -> None:
    """Wait until the server has said something, and forget it."""

    def has_heard() -> bool:
        page.wait_for_timeout(50)  # Events of the browser arrive only while Playwright waits.
        return bool(told)

    until(has_heard, what)
    told.clear()


def waiting_run(world: World) -> str:
    flow = post(world, "workflows/", {**WAITING, "publish": True}, status=201)
    post(world, f"workflows/{flow['id']}/run/", {"event": {}}, status=202)
    found = "SELECT id::text FROM workflow_execution WHERE workflow_id = %s AND status = 'WAITING'"
    run: str = until(lambda: world.stack.sql(found, flow["id"]), "the run waits")[0][0]
    return run


def cancel(world: World, run: str) -> None:
    post(world, f"executions/{run}/cancel/", {}, status=200)


def post(world: World, path: str, body: dict[str, Any], *, status: int) -> dict[str, Any]:
    answer = world.stack.request("POST", f"/api/v1/{path}", body, token=world.token)
    assert answer.status == status, answer
    said: dict[str, Any] = answer.body
    return said


def expect_state(page: Page, word: str) -> None:
    expect(page.locator(".page-head .lead")).to_contain_text(word, timeout=20_000)
