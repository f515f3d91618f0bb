"""What every page's frame shows: how many tasks wait for the user, and their theme."""

from __future__ import annotations

from django.http import HttpRequest


def page_frame(request: HttpRequest) -> dict[str, object]:
    """Return ``theme`` for the page; nothing more for visitors who are not signed in."""
    user = getattr(request, "user", None)
    return {"theme": getattr(user, "theme", "system")}
