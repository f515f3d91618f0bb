"""Every page in a real browser: accessible, nothing cut off, no errors, usable without scripts."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from leadsend.access.models import User
from leadsend.testing.browsing import LOOKS, overflow_of, violations_of
from leadsend.testing.factories import PASSWORD
from runtime.models import Execution, Task

pytestmark = pytest.mark.browser

SIGNED_OUT = {"sign-in": "/login/", "missing": "/nowhere/"}


def addresses_of(story):
    """Return every page of the story by a name."""
    return {
        "home": "/",
        "workflows": "/workflows/",
        "no workflow": "/workflows/?q=nothing-is-called-so",
        "workflow": f"/workflows/{story.workflow.pk}/",
        "draft": f"/workflows/{story.draft.pk}/",
        "runs": "/runs/",
        "no run": "/runs/?q=nothing-is-called-so",
        "done run": f"/runs/{story.done.pk}/",
        "failed run": f"/runs/{story.failed.pk}/",
        "waiting run": f"/runs/{story.waiting.pk}/",
        "uncertain run": f"/runs/{story.uncertain_step.execution_id}/",
        "odd run": f"/runs/{story.odd.pk}/",
        "tasks": "/tasks/",
        "done tasks": "/tasks/?tab=done",
        "outbox": "/outbox/",
        "mail": f"/outbox/{story.mail.pk}/",
        "settings": "/settings/",
        "missing": "/nowhere/",
    }


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_axe_finds_nothing_on_any_page(story, cookies, watched, width, scheme):
    # The policy of the pages keeps axe out, too: it is put in past it, in this test alone.
    look = {"width": width, "scheme": scheme, "bypass_csp": True}
    window = watched(cookies=cookies(story.owner), **look)
    found = {name: violations_of(window.open(at)) for name, at in addresses_of(story).items()}
    visitor = watched(**look)
    found |= {f"visitor {n}": violations_of(visitor.open(at)) for n, at in SIGNED_OUT.items()}

    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_with_menus_and_details_open(story, cookies, watched, width):
    window = watched(width=width, cookies=cookies(story.owner), bypass_csp=True)
    found = []
    for address in (f"/runs/{story.done.pk}/", f"/workflows/{story.workflow.pk}/"):
        page = window.open(address)
        page.evaluate("document.querySelectorAll('.more').forEach(d => d.open = true)")
        found += violations_of(page)
        page.click("summary >> nth=0")
        # An open menu lies over other targets: that is what it is for.
        found += violations_of(page, rules={"target-size": {"enabled": False}})

    assert found == []


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_nothing_is_wider_than_the_window(story, cookies, watched, width):
    window = watched(width=width, cookies=cookies(story.owner))
    wide = {name: overflow_of(window.open(at)) for name, at in addresses_of(story).items()}

    assert {name: pixels for name, pixels in wide.items() if pixels > 0} == {}


def test_no_errors_no_policy_violations_no_foreign_hosts(story, cookies, watched):
    window = watched(cookies=cookies(story.owner))
    for address in addresses_of(story).values():
        window.open(address).wait_for_load_state("networkidle")

    # The server of these tests speaks no websockets: pages try once and go on by polling.
    complaints = [text for text in window.complaints if not _NO_SOCKET.match(text)]
    assert Counter(complaints) == Counter()
    assert window.foreign == []


def test_a_hostile_mail_runs_nothing_and_asks_nobody(story, cookies, watched):
    window = watched(cookies=cookies(story.owner))
    page = window.open("/outbox/")
    page.on("dialog", lambda dialog: window.foreign.append(dialog.message))
    page.click(".cell-link:has-text('<script>')")
    page.wait_for_load_state("networkidle")

    assert page.is_visible("iframe")
    assert window.foreign == []


@pytest.mark.parametrize("width", [390, 1280])
def test_every_stop_of_the_tab_key_has_a_name_and_is_seen(story, cookies, watched, width):
    page = watched(width=width, cookies=cookies(story.owner)).open(f"/runs/{story.failed.pk}/")
    stops = []
    for _ in range(60):
        page.keyboard.press("Tab")
        stop = page.evaluate(_STOP)
        if stop is None or stop in stops:
            break
        stops.append(stop)

    assert len(stops) > 8
    assert [stop for stop in stops if not stop["name"] or not stop["outline"]] == []
    assert stops[0]["name"] == "Skip to content"


_NO_SOCKET = re.compile(r"WebSocket connection to '.*/ws/.*' failed: .* response code: 404$")
_STOP = """() => {
  const at = document.activeElement;
  if (at === document.body) return null;
  const box = at.getBoundingClientRect();
  const label = at.getAttribute("aria-label") ?? at.innerText ?? "";
  const shown = getComputedStyle(at).outlineStyle !== "none";
  const where = `${Math.round(box.x)} ${Math.round(box.y + scrollY)}`;
  return {name: (label || at.title).trim(), outline: shown, where};
}"""


def test_targets_are_large_enough_for_a_finger(story, cookies, watched):
    page = watched(width=390, cookies=cookies(story.owner), has_touch=True).open("/tasks/")
    heights = page.eval_on_selector_all(
        ".bottom a, main button, summary", "all => all.map(e => e.getBoundingClientRect().height)"
    )

    assert heights
    assert min(heights) >= 44


def test_set_up_and_sign_in_work_without_scripts(transactional_db, watched):
    page = watched(java_script_enabled=False).open("/")
    page.fill("#id_organisation", "Acme")
    page.fill("#id_name", "Ana")
    page.fill("#id_email", "ana@example.com")
    page.fill("#id_password", PASSWORD)
    page.press("#id_password", "Enter")
    began = page.inner_text("main")
    page.click("summary")
    page.click("text=Sign out")
    page.fill("#id_username", "ana@example.com")
    page.fill("#id_password", PASSWORD)
    page.press("#id_password", "Enter")

    assert "Start with a ready workflow" in began
    assert page.inner_text("h1") == "Home"
    assert User.objects.count() == 1


def test_the_set_up_page_is_accessible_and_learns_the_zone(transactional_db, watched):
    window = watched(bypass_csp=True, timezone_id="Europe/Berlin")
    page = window.open("/setup/")

    assert violations_of(page) == []
    assert page.input_value("#id_timezone") == "Europe/Berlin"
    page.press("#id_organisation", "Enter")  # the browser itself refuses an empty answer
    page.fill("#id_organisation", "Acme")
    page.fill("#id_name", "Ana")
    page.fill("#id_email", "ana@example.com")
    page.fill("#id_password", "short")
    page.press("#id_password", "Enter")
    assert "too short" in page.inner_text("main")
    assert violations_of(page) == []


def test_tasks_are_done_and_runs_cancelled_without_scripts(story, cookies, watched):
    window = watched(java_script_enabled=False, cookies=cookies(story.owner))
    page = window.open("/tasks/")
    page.click(f"form[action*='{story.task.pk}'] button")
    said = page.inner_text("[role=status]")
    page = window.open(f"/runs/{story.waiting.pk}/")
    page.click("text=Cancel run")

    assert said == "Done: Call Ada Byron"
    assert Task.objects.get(pk=story.task.pk).status == "DONE"
    assert Execution.objects.get(pk=story.waiting.pk).status == "CANCELLED"
    assert "The run is cancelled." in page.inner_text("[role=status]")


def test_the_chosen_theme_wins_over_the_systems(story, cookies, watched):
    story.owner.theme = "dark"
    story.owner.save(update_fields=["theme"])
    page = watched(scheme="light", cookies=cookies(story.owner)).open("/")

    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == "rgb(15, 18, 23)"


def test_a_page_is_light_to_load(story, cookies, watched):
    window = watched(cookies=cookies(story.owner))
    sizes = []
    window.page.on("response", lambda answer: sizes.append(len(answer.body())))
    window.open("/runs/").wait_for_load_state("networkidle")

    assert sum(sizes) <= 150_000


def test_a_run_under_way_is_shown_anew(story, cookies, watched):
    page = watched(cookies=cookies(story.owner)).open(f"/runs/{story.waiting.pk}/")
    Execution.objects.filter(pk=story.waiting.pk).update(business_key="changed@example.com")

    page.wait_for_selector("h1:has-text('changed@example.com')", timeout=15_000)
    assert re.search(r"changed", page.inner_text("h1"))
