"""The start-up check that no route is without a policy: deny by default, and say which forgot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.urls import URLPattern, URLResolver, get_resolver

from leadsend.access.policy import PERMISSIONS

# Views of Django and its apps that ask for staff, or serve public files, by themselves.
TRUSTED = (
    "django.contrib.admin.",
    "django.contrib.staticfiles.",
    "django.views.i18n",
    "django.views.static",
)


@register("security")
def check_policies(app_configs: Any = None, **options: Any) -> list[CheckMessage]:
    """Return an error for every route whose view names no permission."""
    return [
        Error(
            f"{address} ({_name(view)}): {complaint}",
            hint="Name a permission of leadsend.access.policy: policy = {action: permission} on a "
            "REST view, @page(permission) on a page.",
            id="leadsend.E001",
        )
        for address, view, complaint in complaints(get_resolver().url_patterns)
    ]


def complaints(patterns: Sequence[Any]) -> Iterator[tuple[str, Any, str]]:
    """Yield address, view and what is wrong, for every route that is not as it should be."""
    for address, view in routes_of(patterns):
        if not _module(view).startswith(TRUSTED):
            for complaint in _complaints(view):
                yield address, view, complaint


def routes_of(patterns: Sequence[Any], prefix: str = "/") -> Iterator[tuple[str, Any]]:
    """Yield every route as ``(address, view)``, included ones too."""
    for pattern in patterns:
        address = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            if not _is_trusted(pattern):
                yield from routes_of(pattern.url_patterns, address)
        elif isinstance(pattern, URLPattern):
            yield address, pattern.callback


def actions_of(view: Any) -> dict[str, str]:
    """Return ``{method: action}`` of a REST view's route; the action of a plain one is the method."""
    mapping = getattr(view, "actions", None)
    if mapping:
        return {method: name for method, name in mapping.items() if method != "head"}
    kind = _class(view)
    names = ("get", "post", "put", "patch", "delete")
    return {name: name for name in names if hasattr(kind, name)}


def _complaints(view: Any) -> Iterator[str]:
    kind = _class(view)
    if kind is None or not hasattr(kind, "permission_classes"):
        permission = getattr(view, "policy", None)
        if not isinstance(permission, str) or permission not in PERMISSIONS:
            yield "the page names no permission"
        return
    if not kind.permission_classes:
        yield "permission_classes is empty"
    table = getattr(kind, "policy", {})
    for action in sorted(set(actions_of(view).values())):
        if table.get(action) not in PERMISSIONS:
            yield f"the policy has no permission for “{action}”"


def _is_trusted(resolver: URLResolver) -> bool:
    return resolver.app_name == "admin"


def _class(view: Any) -> Any:
    return getattr(view, "cls", None) or getattr(view, "view_class", None)


def _module(view: Any) -> str:
    return str(getattr(_class(view) or view, "__module__", ""))


def _name(view: Any) -> str:
    return f"{_module(view)}.{getattr(_class(view) or view, '__name__', view)}"
