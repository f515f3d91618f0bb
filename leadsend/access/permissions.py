"""The permission class of every REST view: it asks the policy, and refuses a view without one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import Http404
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from leadsend.access import policy
from leadsend.lib.errors import NotFound

if TYPE_CHECKING:
    from rest_framework.views import APIView


class ByPolicy(BasePermission):
    """Looks up the view's ``policy`` by action (viewsets) or method, and asks about the user."""

    message = "Your role or token does not include this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Tell whether the user may try; a row in the address is asked about once it is found."""
        permission = permission_of(view, request)
        if permission is None:
            # A method that the view does not have: let it be answered 405, but not to strangers.
            return request.user.is_authenticated and not _answers(view, request)
        if permission == policy.PUBLIC:
            return True
        if not policy.in_scope(request.user, permission):
            return False
        has_row = bool(view.kwargs)
        view.must_ask = policy.is_of_project(permission) and (  # type: ignore[attr-defined]
            has_row or request.method not in SAFE_METHODS
        )
        return has_row or policy.may_somewhere(request.user, permission)

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        """Tell whether the user may do this with a row. Raises Http404 when they may not see it."""
        permission = permission_of(view, request)
        if permission is None:
            return False
        project = getattr(obj, "project_id", None)
        if policy.may(request.user, permission, project):
            return True
        if project is not None:
            try:
                policy.require(request.user, permission, project)
            except NotFound as error:
                raise Http404 from error
        return False


def permission_of(view: APIView, request: Request) -> str | None:
    """Return the permission that this request needs, or None when the view names none."""
    table = getattr(view, "policy", {})
    action = getattr(view, "action", None)
    found: str | None = table.get(action) if action else table.get((request.method or "").lower())
    return found


def _answers(view: APIView, request: Request) -> bool:
    method = (request.method or "").lower()
    return method != "options" and hasattr(view, method)
