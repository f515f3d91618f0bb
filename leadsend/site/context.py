"""What every page's frame shows: theme, navigation, how many tasks wait for the user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from leadsend.access import policy
from runtime.models import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class NavItem:
    """One entry of the navigation; ``in_bottom_bar`` is where phones show it."""

    name: str
    word: str | Promise
    icon: str
    permission: str
    in_bottom_bar: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NavLink:
    """An entry as one page shows it."""

    item: NavItem
    url: str
    is_current: bool


NAVIGATION = (
    NavItem(name="home", word=_("Home"), icon="house", permission="self.read"),
    NavItem(name="workflows", word=_("Workflows"), icon="workflow", permission="workflow.read"),
    NavItem(name="runs", word=_("Runs"), icon="activity", permission="execution.read"),
    NavItem(name="tasks", word=_("Tasks"), icon="list-checks", permission="task.read"),
    NavItem(
        name="outbox", word=_("Outbox"), icon="mail", permission="mail.read", in_bottom_bar=False
    ),
)


def page_frame(request: HttpRequest) -> dict[str, object]:
    """Return ``theme``, and ``navigation`` and ``open_tasks`` as functions: only pages ask them.

    ``open_tasks`` costs one query, the first time it is asked.
    """
    user = getattr(request, "user", None)
    return {
        "theme": getattr(user, "theme", "system"),
        "navigation": cache(lambda: _navigation(request)),
        "open_tasks": _open_tasks(request),
    }


def _navigation(request: HttpRequest) -> list[NavLink]:
    links = []
    for item in NAVIGATION:
        if policy.may_somewhere(request.user, item.permission):
            url = reverse(item.name)
            here = request.path == url if item.name == "home" else request.path.startswith(url)
            links.append(NavLink(item=item, url=url, is_current=here))
    return links


def _open_tasks(request: HttpRequest) -> Callable[[], int]:
    @cache
    def count() -> int:
        user = request.user
        if not user.is_authenticated:
            return 0
        found: int = Task.objects.visible_to(user).open().mine(user).count()
        return found

    return count
