"""Workflows that name others, to call or to handle failures: what is seen before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from leadsend.lib.errors import Problem, Severity
from workflows.definition import canonical, pointer
from workflows.models import Workflow

_DEEPEST = 20
_HANDLER = "/settings/on_failure"


def problems_of_calls(workflow: Workflow, document: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the workflows that a document of this workflow calls.

    One that the project does not have, and a circle over what is live now, refuse publishing; one
    that is not live is a warning, for it may be live by the time it is called. Queries only where
    something is called, once for each level of calls.
    """
    calls = list(_calls(document))
    if not calls:
        return []
    known = _known(workflow.project_id, [name for _, _, name in calls])
    problems = []
    for path, step_id, name in calls:
        called = known.get(name)
        if called is None:
            message = f"There is no workflow “{name}” in this project: choose another."
            problems.append(_problem("unknown_workflow", message, path, step_id))
        elif called.pk == workflow.pk or (circle := _circle(workflow, called)):
            chain = [workflow] if called.pk == workflow.pk else [called, *circle]
            names = " → ".join(str(one) for one in (workflow, *chain))
            message = (
                f"These workflows call each other in a circle: {names}. Remove one of the calls."
            )
            problems.append(_problem("calls_itself", message, path, step_id))
        elif not _is_live(called):
            message = f"“{called}” is not live: a run that calls it fails until it is published."
            problems.append(_problem("workflow_not_live", message, path, step_id, Severity.WARNING))
    return problems


def problems_of_handler(workflow: Workflow, document: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the workflow that a document names to handle its failures.

    One that the project does not have refuses publishing; one that is not live is a warning.
    Queries only where one is named.
    """
    settings = document.get("settings")
    name = settings.get("on_failure") if isinstance(settings, Mapping) else None
    if not isinstance(name, str) or not name:
        return []
    handler = _known(workflow.project_id, [name]).get(name)
    if handler is None:
        message = (
            f"There is no workflow “{name}” in this project to handle failures: choose another."
        )
        return [_problem("unknown_workflow", message, _HANDLER, None)]
    # One that names itself is about to be live.
    if handler.pk == workflow.pk or _is_live(handler):
        return []
    message = (
        f"“{handler}” is not live: failures go to the project's handler until it is published."
    )
    return [_problem("workflow_not_live", message, _HANDLER, None, Severity.WARNING)]


def _calls(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield pointer, step and name of the workflows that are called by a name known now."""
    for index, step in enumerate(document.get("steps") or ()):
        cfg = step.get("cfg")
        name = cfg.get("workflow") if isinstance(cfg, Mapping) else None
        if step.get("kind") != "workflow" or not isinstance(name, str) or not name:
            continue
        if "{{" not in name:
            yield pointer.join("", "steps", index, "cfg", "workflow"), str(step.get("id")), name


def _circle(start: Workflow, called: Workflow) -> list[Workflow]:
    """Return the way from a called workflow back to the one that calls it; empty if there is none."""
    ways: list[list[Workflow]] = [[called]]
    seen = {called.pk}
    for _ in range(_DEEPEST):
        onward = []
        for way in ways:
            for target in _called_by_live(way[-1]):
                if target.pk == start.pk:
                    return [*way[1:], start]
                if target.pk not in seen:
                    seen.add(target.pk)
                    onward.append([*way, target])
        ways = onward
    return []


def _called_by_live(workflow: Workflow) -> list[Workflow]:
    if not _is_live(workflow) or workflow.live_version is None:
        return []
    names = [name for _, _, name in _calls(canonical.load(workflow.live_version.document))]
    return list(_known(workflow.project_id, names).values())


def _known(project_id: UUID, names: Sequence[str]) -> dict[str, Workflow]:
    """Return the workflows of a project by slug or id, as they were asked for."""
    if not names:
        return {}
    rows = Workflow.objects.filter(project_id=project_id).not_deleted().with_live_version()
    ids = [found for name in names if (found := _as_id(name)) is not None]
    by_name: dict[str, Workflow] = {}
    for row in [*rows.filter(slug__in=names), *(rows.filter(pk__in=ids) if ids else ())]:
        by_name |= {row.slug: row, str(row.pk): row}
    return {name: by_name[name] for name in names if name in by_name}


def _as_id(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


def _is_live(workflow: Workflow) -> bool:
    return workflow.is_active and workflow.live_version_id is not None


def _problem(
    code: str, message: str, path: str, step_id: str | None, severity: Severity = Severity.ERROR
) -> Problem:
    return Problem(code=code, message=message, path=path, step_id=step_id, severity=severity)
