"""Trying a run again in another way: from a step, with other data, on another version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast
from uuid import UUID

import orjson
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from leadsend.access.pages import page
from leadsend.lib.errors import InvalidInput, LeadSendError, NotAllowed, NotFound
from registry.catalog import catalog
from runtime import executions, keeping
from runtime.models import Execution
from runtime.views.finding import json_given, operable, user_of
from runtime.views.telling import ToldStep

BEGINNING: Final = "*"
# More than that is not edited by hand in a text field.
_LONGEST_EVENT: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A step that can be chosen, under the name that the page gives it."""

    id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What the form offers. ``event`` is the event's data as text, "" when it is too long."""

    steps: list[Choice]
    effects: list[Choice]
    event: str


def offer(run: Execution, told: Sequence[ToldStep]) -> Again:
    """Return what can be chosen for a new try of a run that has ended."""
    chosen = [step for step in told if step.latest.item is None]
    kept = [step for step in chosen if keeping.is_lasting(step.latest, catalog=catalog())]
    return Again(
        steps=[_choice(step) for step in chosen if step.latest.status != "SKIPPED"],
        effects=[_choice(step) for step in kept],
        event=_as_text(run.context_data),
    )


def _as_text(event: Any) -> str:
    # A large event lies in the object storage: it is not fetched to be edited by hand.
    if not isinstance(event, dict):
        return ""
    text = orjson.dumps(event, option=orjson.OPT_INDENT_2).decode()
    return text if len(text) <= _LONGEST_EVENT else ""


@page("execution.operate")
@require_POST
def again(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Start a new run as the form says, and go to it."""
    run = operable(request, run_id)
    try:
        after = _begin(request, run)
    except (NotAllowed, NotFound):
        raise
    except LeadSendError as error:
        messages.error(request, error.message)
        return redirect("run", run.pk)
    messages.success(request, _("Started again. This is the new run."))
    return redirect("run", after.pk)


def _begin(request: HttpRequest, run: Execution) -> Execution:
    start = request.POST.get("from_step", "")
    version = request.POST.get("version", "original")
    if version not in ("original", "live"):
        raise InvalidInput(_("Choose a version."))
    wish: dict[str, Any] = {
        "user": user_of(request),
        "run_again": request.POST.getlist("run_again"),
        "version": cast("Literal['original', 'live']", version),
        "event": _event(request, run),
    }
    if start == BEGINNING:
        return executions.replay(run, **wish)
    return executions.retry(run, from_step=start or None, **wish)


def _event(request: HttpRequest, run: Execution) -> dict[str, Any] | None:
    """Return the event's data where the form changed it. Raises InvalidInput for what is none."""
    event = json_given(request, "event")
    if event is None:
        return None
    if not isinstance(event, dict):
        raise InvalidInput(_("The data must be fields with names, in braces."))
    return None if event == run.context_data else event


def _choice(step: ToldStep) -> Choice:
    return Choice(id=step.latest.step_id, title=step.words.title or step.words.sentence)
