"""Finding the run that a page is about, and asking whether the user may act on it."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext as _

from leadsend.access import policy
from leadsend.access.models import User
from leadsend.lib.errors import InvalidInput, NotFound, UnreadableInput
from leadsend.lib.input_guard import parse_json
from runtime.models import Execution, ExecutionQuerySet


def visible_runs(request: HttpRequest) -> ExecutionQuerySet:
    """Return the runs that the user sees."""
    rows: ExecutionQuerySet = Execution.objects.visible_to(user_of(request))
    return rows


def find_run(request: HttpRequest, run_id: UUID) -> Execution:
    """Return a run with workflow and version. Raises NotFound."""
    run: Execution | None = visible_runs(request).with_workflow().filter(pk=run_id).first()
    if run is None:
        raise NotFound("There is no such run.")
    return run


def operable(request: HttpRequest, run_id: UUID) -> Execution:
    """Return a run that the user may act on. Raises NotFound or NotAllowed."""
    run = find_run(request, run_id)
    policy.require(user_of(request), "execution.operate", run.project_id)
    return run


def user_of(request: HttpRequest) -> User:
    """Return the signed-in user."""
    return cast("User", request.user)


def json_given(request: HttpRequest, name: str) -> Any:
    """Return what a text field holds as JSON, None when it is empty. Raises InvalidInput."""
    text = request.POST.get(name, "").strip()
    if not text:
        return None
    try:
        return parse_json(text.encode())
    except UnreadableInput as error:
        raise InvalidInput(_("The data cannot be read: %s") % error.message) from error
