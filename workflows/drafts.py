"""Makes and changes drafts: create, edit by operations, replace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from leadsend.access.models import Project, User
from leadsend.lib import clock, ids
from leadsend.lib.errors import Conflict, InvalidInput, Problem
from workflows import variables
from workflows.definition import canonical, form, operations, shorthand, upgrades
from workflows.definition.summary import describe_changes
from workflows.models import DraftChange, Workflow

KEPT_CHANGES = 500
_CARD = ("name", "description", "category", "tags")


def create_workflow(
    project: Project,
    user: User | None,
    data: Any,
    *,
    is_active: bool = True,
) -> Workflow:
    """Create a workflow whose draft is ``data``, a document in full form or in shorthand.

    Nothing is published. Raises InvalidInput when it cannot be kept as a draft.
    """
    document = shorthand.expand(data)
    secrets = variables.take_secrets(document)
    workflow = Workflow(project=project, owner=user, is_active=is_active, **_card(document))
    workflow.draft = canonical.dump(document).decode()
    with transaction.atomic():
        _insert(workflow)
        variables.bring_in_line(workflow, document, secrets)
    return workflow


def apply(
    workflow: Workflow,
    wanted: Sequence[Any],
    *,
    user: User | None,
    revision: int | None = None,
) -> list[dict[str, Any]]:
    """Apply operations to the draft, save it, and return the operations that undo them.

    ``revision`` is the one they were made on (None: whatever is there). The given row is
    refreshed. Raises InvalidInput when one cannot be applied; Conflict, telling what changed,
    when the draft is at another revision.
    """
    with transaction.atomic():
        locked = _lock(workflow, revision)
        before = upgrades.read(locked.draft)
        after, undo = operations.apply(before, wanted)
        secrets = variables.take_secrets(after)
        if secrets:
            # Inverse operations would repeat the values; a document never holds them.
            before = _without_values(before, secrets)
            undo = [{"op": "replace", "document": before, "exact": True}]
        variables.bring_in_line(locked, after, secrets)
        _save(locked, before, after, undo, user)
    workflow.refresh_from_db()
    return undo


def replace(
    workflow: Workflow, data: Any, *, user: User | None, revision: int | None = None
) -> list[dict[str, Any]]:
    """Put another document (full form or shorthand) in the draft's place; as ``apply``."""
    document = shorthand.expand(data)
    operation = {"op": "replace", "document": document, "exact": True}
    return apply(workflow, [operation], user=user, revision=revision)


def document_of(workflow: Workflow) -> dict[str, Any]:
    """Return the draft as a document in full form."""
    return upgrades.read(workflow.draft)


def reserve_version(workflow: Workflow) -> UUID:
    """Return the id that the next version will have, reserving one if there is none."""
    if workflow.open_version_id is None:
        Workflow.objects.filter(pk=workflow.pk, open_version_id=None).update(
            open_version_id=ids.uuid7()
        )
        workflow.refresh_from_db(fields=["open_version_id"])
    if workflow.open_version_id is None:
        raise Conflict("The workflow was published meanwhile: open the version again.")
    return workflow.open_version_id


def _lock(workflow: Workflow, revision: int | None) -> Workflow:
    locked: Workflow = Workflow.objects.select_for_update(of=("self",)).get(pk=workflow.pk)
    if locked.deleted_at is not None:
        raise Conflict("The workflow is in the bin: restore it before changing it.")
    if revision is not None and revision != locked.revision:
        raise Conflict(_what_changed(locked, revision), code="revision")
    return locked


def _what_changed(workflow: Workflow, revision: int) -> str:
    if revision > workflow.revision:
        return f"The draft is at revision {workflow.revision}; there is no revision {revision} yet."
    changes = workflow.changes.filter(revision__gt=revision).select_related("user")
    told = [
        f"{change.user or 'Somebody'}: {' '.join(change.summary[:5])}"
        for change in changes.order_by("revision")[:10]
    ]
    return (
        f"The draft was changed meanwhile: it is at revision {workflow.revision}, not {revision}. "
        f"{' '.join(told)} Read it again and repeat your change."
    )


def _save(
    workflow: Workflow,
    before: Mapping[str, Any],
    after: dict[str, Any],
    undo: list[dict[str, Any]],
    user: User | None,
) -> None:
    data = canonical.dump(after).decode()
    if data == workflow.draft:
        return
    for field, value in _card(after).items():
        setattr(workflow, field, value)
    workflow.draft = data
    workflow.revision += 1
    workflow.updated_at = clock.now()
    workflow.save(update_fields=[*_CARD, "draft", "revision", "updated_at"])
    DraftChange.objects.create(
        project_id=workflow.project_id,
        workflow=workflow,
        revision=workflow.revision,
        undo=undo,
        summary=describe_changes(before, after)[:20],
        user=user,
    )
    workflow.changes.filter(revision__lte=workflow.revision - KEPT_CHANGES).delete()


def _without_values(document: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Return a copy in which the variables that have become secret have no value."""
    hidden = set(keys)
    kept = [
        {name: value for name, value in variable.items() if name != "value"}
        if variable["key"] in hidden
        else variable
        for variable in document["variables"]
    ]
    return {**document, "variables": kept}


def _card(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the row says of the document. Raises InvalidInput where it does not fit."""
    roots = tuple(f"/{field}" for field in _CARD)
    found = form.check_frame({"name": "", **document})
    problems = [problem for problem in found if problem.path.startswith(roots)]
    if "name" not in document:
        message = "Give the workflow a name: fill in “name”."
        problems = [Problem(code="missing", message=message, path="/name")]
    if problems:
        raise InvalidInput(problems[0].message, problems=problems)
    return {field: document[field] for field in _CARD}


def _insert(workflow: Workflow) -> None:
    """Insert with a slug of the name; where it is taken, with some of the id behind it."""
    base = slugify(workflow.name)[:100] or "workflow"
    taken = Workflow.objects.filter(project_id=workflow.project_id, slug=base).exists()
    workflow.slug = f"{base}-{workflow.pk.hex[-8:]}" if taken else base
    try:
        with transaction.atomic():
            workflow.save(force_insert=True)
    except IntegrityError as error:
        if "workflow_slug_once" not in str(error):
            raise
        workflow.slug = f"{base}-{workflow.pk.hex[-8:]}"
        workflow.save(force_insert=True)
