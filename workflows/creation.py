"""Builds a workflow row by row: versions, steps, edges, variables, as separate calls.

``POST versions/`` opens an unpublished version: the workflow's draft under a reserved id. Steps,
edges and variables sent for it become operations on the draft. A row's id is computed from the
version's id and the step's slug, so it stays the same when the version is published, with which
immutability starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from leadsend.access.models import User
from leadsend.lib.errors import Conflict, InvalidInput, NotFound, Problem
from workflows import drafts, version_storage
from workflows.definition import shorthand
from workflows.models import Workflow, WorkflowEdge, WorkflowQuerySet, WorkflowStep, WorkflowVersion
from workflows.publishing import edge_row_id, step_row_id

# How many open drafts are looked through for a step that comes without its version.
_LOOKED_AT = 500
_PUBLISHED = (
    "This version is published and never changes: open a new one with POST versions/, "
    "or change the draft."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVersion:
    """The draft of a workflow under the id, number and address its version will have."""

    id: UUID
    workflow: Workflow
    version_num: int
    s3_key: str

    def step_id(self, slug: str) -> UUID:
        """Return the id that the step's row has."""
        return step_row_id(self.id, slug)

    def edge_id(self, edge: Mapping[str, Any]) -> UUID:
        """Return the id that the edge's row has."""
        return edge_row_id(self.id, edge["from"], edge["to"], edge["branch_key"])


def open_version(
    workflow: Workflow, *, version_num: int | None = None, s3_key: str | None = None
) -> OpenVersion:
    """Open the next version, or return the one that is open.

    ``version_num`` and ``s3_key`` may be sent along; they must be what they will be. Raises
    InvalidInput.
    """
    reserved = drafts.reserve_version(workflow)
    opened = _opened(workflow, reserved)
    for name, sent in (("version_num", version_num), ("s3_key", s3_key)):
        expected = getattr(opened, name)
        if sent is not None and sent != expected:
            raise _invalid(name, f"The next version has the {name} {expected}: send this or none.")
    return opened


def find_open(workflows: WorkflowQuerySet, version_id: UUID) -> OpenVersion:
    """Return the open version with this id among these workflows.

    Raises Conflict when it is published, NotFound when there is none.
    """
    workflow = workflows.not_deleted().filter(open_version_id=version_id).first()
    if workflow is not None:
        return _opened(workflow, version_id)
    if WorkflowVersion.objects.filter(pk=version_id, workflow__in=workflows).exists():
        raise Conflict(_PUBLISHED, code="published")
    raise NotFound(f"There is no version {version_id}.")


def find_step(
    workflows: WorkflowQuerySet, row_id: UUID, *, version_id: UUID | None = None
) -> tuple[OpenVersion, dict[str, Any]]:
    """Return the open version and the step with this row id. Raises as ``find_open``."""
    for opened in _candidates(workflows, version_id):
        for step in drafts.document_of(opened.workflow)["steps"]:
            if opened.step_id(step["id"]) == row_id:
                return opened, step
    if WorkflowStep.objects.filter(pk=row_id, version__workflow__in=workflows).exists():
        raise Conflict(_PUBLISHED, code="published")
    raise NotFound(f"There is no step {row_id}.")


def find_edge(
    workflows: WorkflowQuerySet, row_id: UUID, *, version_id: UUID | None = None
) -> tuple[OpenVersion, dict[str, Any]]:
    """Return the open version and the edge with this row id. Raises as ``find_open``."""
    for opened in _candidates(workflows, version_id):
        for edge in drafts.document_of(opened.workflow)["edges"]:
            if opened.edge_id(edge) == row_id:
                return opened, edge
    if WorkflowEdge.objects.filter(pk=row_id, version__workflow__in=workflows).exists():
        raise Conflict(_PUBLISHED, code="published")
    raise NotFound(f"There is no edge {row_id}.")


def add_step(
    opened: OpenVersion, fields: Mapping[str, Any], *, user: User | None
) -> dict[str, Any]:
    """Add a step at the end of the draft and return it in full form.

    ``fields``: ``kind``, ``action_key``, ``cfg`` and the other fields of a step; without ``id`` it
    gets a readable one. Raises InvalidInput.
    """
    taken = [step["id"] for step in drafts.document_of(opened.workflow)["steps"]]
    step = shorthand.expand_step(fields, taken)
    drafts.apply(opened.workflow, [{"op": "add_step", "step": step}], user=user)
    return _named(drafts.document_of(opened.workflow)["steps"], "id", step["id"])


def change_step(
    opened: OpenVersion, step: Mapping[str, Any], fields: Mapping[str, Any], *, user: User | None
) -> dict[str, Any]:
    """Set fields of a step and return it in full form. Raises InvalidInput."""
    changed = [
        {"op": "set", "step": step["id"], "path": f"/{name}", "value": value}
        for name, value in shorthand.expand_step({**step, **fields}, ()).items()
        if step.get(name) != value or name in fields
    ]
    drafts.apply(opened.workflow, changed, user=user)
    return _named(drafts.document_of(opened.workflow)["steps"], "id", step["id"])


def remove_step(opened: OpenVersion, step: Mapping[str, Any], *, user: User | None) -> None:
    """Remove a step with its edges. Raises InvalidInput when steps stand inside it."""
    drafts.apply(opened.workflow, [{"op": "remove_step", "id": step["id"]}], user=user)


def add_edge(
    workflows: WorkflowQuerySet,
    *,
    from_step_id: UUID,
    to_step_id: UUID,
    branch_key: str,
    version_id: UUID | None,
    user: User | None,
) -> tuple[OpenVersion, dict[str, Any]]:
    """Link two steps by their row ids and return the version and the edge in full form.

    Sending the same edge again changes nothing. Raises NotFound, Conflict, InvalidInput.
    """
    opened, source = find_step(workflows, from_step_id, version_id=version_id)
    for target in drafts.document_of(opened.workflow)["steps"]:
        if opened.step_id(target["id"]) == to_step_id:
            edge = {"from": source["id"], "to": target["id"], "branch_key": branch_key}
            if edge not in drafts.document_of(opened.workflow)["edges"]:
                drafts.apply(opened.workflow, [{"op": "add_edge", "edge": edge}], user=user)
            return opened, edge
    raise _invalid("to_step_id", f"There is no step {to_step_id} in the version of from_step_id.")


def remove_edge(opened: OpenVersion, edge: Mapping[str, Any], *, user: User | None) -> None:
    """Remove an edge."""
    drafts.apply(opened.workflow, [{"op": "remove_edge", "edge": dict(edge)}], user=user)


def _opened(workflow: Workflow, version_id: UUID) -> OpenVersion:
    newest = workflow.versions.order_by("-version_num").values_list("version_num", flat=True)
    number = (newest.first() or 0) + 1
    address = version_storage.address_of(workflow.pk, number)
    return OpenVersion(id=version_id, workflow=workflow, version_num=number, s3_key=address)


def _candidates(workflows: WorkflowQuerySet, version_id: UUID | None) -> Iterator[OpenVersion]:
    if version_id is not None:
        yield find_open(workflows, version_id)
        return
    opened = workflows.not_deleted().filter(open_version_id__isnull=False)
    for workflow in opened.order_by("-updated_at")[:_LOOKED_AT]:
        yield _opened(workflow, workflow.open_version_id)


def _named(items: list[dict[str, Any]], field: str, name: str) -> dict[str, Any]:
    return next(item for item in items if item[field] == name)


def _invalid(field: str, message: str) -> InvalidInput:
    return InvalidInput(message, problems=[Problem(code="form", message=message, path=f"/{field}")])
