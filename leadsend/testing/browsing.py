"""What tests of pages ask of a real browser: its complaints, accessibility, what is cut off."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # no types

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
LOOKS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]


class Watched:
    """A page that remembers what the browser complained about, and which hosts it asked."""

    def __init__(self, page, url):
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._asked)
        page.on("requestfailed", self._failed)

    def open(self, address):
        self.page.goto(self.url + address)
        return self.page

    def _heard(self, message):
        # The browser reports the status of the page we asked for ourselves; that is no fault of it.
        is_status = "the server responded with a status of 404" in message.text
        if message.type in {"error", "warning"} and not is_status:
            self.complaints.append(message.text)

    def _asked(self, request):
        if not request.url.startswith((self.url, "data:", "about:")):
            self.foreign.append(request.url)

    def _failed(self, request):
        # What the policy stopped was never sent.
        if request.failure == "csp" and request.url in self.foreign:
            self.foreign.remove(request.url)


def violations_of(page, **options):
    """Return what axe-core finds, as ``rule: element`` lines."""
    found = Axe().run(page, options={**RULES, **options}).response["violations"]
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]


def overflow_of(page):
    """Return by how many pixels a page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
