"""What the API answers with, as plain JSON, under the overview document's field names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from leadsend.lib.errors import Problem
from workflows import drafts
from workflows.creation import OpenVersion
from workflows.models import Workflow, WorkflowEdge, WorkflowStep, WorkflowVariable, WorkflowVersion
from workflows.problems import problems_of

JSON = dict[str, Any]


def workflow_row(workflow: Workflow) -> JSON:
    """Return a workflow as lists show it; ``live_version`` must be fetched along."""
    live = workflow.live_version
    return {
        "id": workflow.pk,
        "project_id": workflow.project_id,
        "name": workflow.name,
        "description": workflow.description,
        "category": workflow.category,
        "tags": workflow.tags,
        "slug": workflow.slug,
        "is_active": workflow.is_active,
        "owner_id": workflow.owner_id,
        "revision": workflow.revision,
        "live_version": live
        and {"id": live.pk, "version_num": live.version_num, "published_at": live.published_at},
        "created_at": workflow.created_at,
        "updated_at": workflow.updated_at,
    }


def workflow_detail(workflow: Workflow) -> JSON:
    """Return a workflow with its draft, the full document, and what is wrong with it."""
    return {**workflow_row(workflow), **draft(workflow)}


def draft(workflow: Workflow) -> JSON:
    """Return a draft: ``{"revision", "document", "problems"}``."""
    document = drafts.document_of(workflow)
    return {
        "revision": workflow.revision,
        "document": document,
        "problems": problems(problems_of(workflow, document)),
    }


def problems(found: Iterable[Problem]) -> list[JSON]:
    """Return problems as they stand in every answer."""
    return [dict(problem.as_json()) for problem in found]


def version_row(version: WorkflowVersion) -> JSON:
    """Return a published version without its document."""
    return {
        "id": version.pk,
        "workflow_id": version.workflow_id,
        "version_num": version.version_num,
        "s3_key": version.s3_key,
        "content_hash": version.content_hash,
        "note": version.note,
        "published_by_id": version.published_by_id,
        "published_at": version.published_at,
    }


def open_version_row(opened: OpenVersion) -> JSON:
    """Return an unpublished version: the same fields, those of publishing empty."""
    return {
        "id": opened.id,
        "workflow_id": opened.workflow.pk,
        "version_num": opened.version_num,
        "s3_key": opened.s3_key,
        "content_hash": None,
        "note": "",
        "published_by_id": None,
        "published_at": None,
    }


def open_step_row(opened: OpenVersion, step: Mapping[str, Any], position: int) -> JSON:
    """Return a step of an unpublished version."""
    parent = step.get("parent")
    extra = {key: value for key, value in step.items() if key not in _STEP_COLUMNS}
    return {
        "id": opened.step_id(step["id"]),
        "version_id": opened.id,
        "step_id": step["id"],
        "position": position,
        "kind": step.get("kind"),
        "action_key": step.get("action_key", ""),
        "title": step.get("title", ""),
        "cfg": step["cfg"],
        "parent_id": opened.step_id(parent) if isinstance(parent, str) else None,
        "extra": extra,
    }


def step_row(step: WorkflowStep) -> JSON:
    """Return a step of a published version."""
    return {
        "id": step.pk,
        "version_id": step.version_id,
        "step_id": step.slug,
        "position": step.position,
        "kind": step.kind,
        "action_key": step.action_key,
        "title": step.title,
        "cfg": step.cfg,
        "parent_id": step.parent_id,
        "extra": step.extra,
    }


def open_edge_row(opened: OpenVersion, edge: Mapping[str, Any]) -> JSON:
    """Return an edge of an unpublished version."""
    return {
        "id": opened.edge_id(edge),
        "version_id": opened.id,
        "from_step_id": opened.step_id(edge["from"]),
        "to_step_id": opened.step_id(edge["to"]),
        "branch_key": edge["branch_key"],
    }


def edge_row(edge: WorkflowEdge) -> JSON:
    """Return an edge of a published version."""
    return {
        "id": edge.pk,
        "version_id": edge.version_id,
        "from_step_id": edge.from_step_id,
        "to_step_id": edge.to_step_id,
        "branch_key": edge.branch_key,
    }


def variable_row(variable: WorkflowVariable) -> JSON:
    """Return a variable; of a secret one only whether it has a value."""
    return {
        "id": variable.pk,
        "workflow_id": variable.workflow_id,
        "key": variable.key,
        "type": variable.type,
        "value": None if variable.is_secret else variable.value,
        "is_secret": variable.is_secret,
        "has_value": bool(variable.sealed) if variable.is_secret else variable.value is not None,
        "updated_at": variable.updated_at,
    }


_STEP_COLUMNS = frozenset({"id", "kind", "action_key", "title", "cfg", "parent"})
