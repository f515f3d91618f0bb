"""Makes drafts live: publish, roll back, retire, revive."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models import Max

from leadsend.access import audit
from leadsend.access.models import User
from leadsend.lib import clock, ids
from leadsend.lib.errors import Conflict, NotFound
from workflows import version_storage
from workflows.definition import canonical, upgrades
from workflows.definition.projection import to_rows
from workflows.models import Workflow, WorkflowEdge, WorkflowStep, WorkflowVersion
from workflows.problems import problems_of, refuse_errors
from workflows.signals import workflow_published, workflow_retired


def publish(workflow: Workflow, *, user: User | None, note: str = "") -> WorkflowVersion:
    """Make the draft the live version, and the workflow active.

    1. Lock the workflow, so that two publishers get two numbers.
    2. Validate; refuse while there is a problem of severity error.
    3. Write the object, and read it back: a version that can be seen has its object.
    4. Insert version, steps and edges; make it live.
    5. Announce it inside the transaction: a receiver that fails undoes it all.

    Raises InvalidInput (with problems), Conflict when there is nothing to publish, Unavailable
    when the object storage is away. The given row is refreshed.
    """
    with transaction.atomic():
        locked = _lock(workflow)
        document = upgrades.read(locked.draft)
        _refuse_unchanged(locked)
        refuse_errors(problems_of(locked, document))
        version = _make_live(locked, locked.draft, user, note)
        _audit("publish", locked, user, version)
    workflow.refresh_from_db()
    return version


def publish_if_active(workflow: Workflow, user: User | None) -> WorkflowVersion | None:
    """Publish when the workflow is active and its draft differs from what is live.

    The step of the creation flow that comes with a subscription. Returns None where there was
    nothing to do; raises as ``publish``.
    """
    workflow.refresh_from_db()
    if not workflow.is_active or _is_unchanged(workflow):
        return None
    return publish(workflow, user=user)


def rollback(workflow: Workflow, version_num: int, *, user: User | None) -> WorkflowVersion:
    """Make the content of an older version live again, as a new version with the same hash.

    The draft stays as it is. Raises NotFound, Conflict when that content is live already,
    InvalidInput when it could not run any more (an action that is gone), Unavailable.
    """
    with transaction.atomic():
        locked = _lock(workflow)
        old = locked.versions.filter(version_num=version_num).first()
        if old is None:
            raise NotFound(f"“{locked}” has no version {version_num}.")
        live = locked.live_version
        if locked.is_active and live is not None and live.content_hash == old.content_hash:
            raise Conflict(f"The content of version {version_num} is live already.")
        document = upgrades.read(old.document)
        refuse_errors(problems_of(locked, document))
        note = f"Went back to version {version_num}."
        version = _make_live(locked, old.document, user, note)
        _audit("roll_back", locked, user, version)
    workflow.refresh_from_db()
    return version


def retire(workflow: Workflow, *, user: User | None = None) -> None:
    """Stop events from starting this workflow; what runs goes on. Safe to call twice."""
    with transaction.atomic():
        locked = _lock(workflow, also_deleted=True)
        if locked.is_active:
            _set(locked, is_active=False)
            workflow_retired.send(sender=Workflow, workflow=locked)
            _audit("retire", locked, user)
    workflow.refresh_from_db()


def revive(workflow: Workflow, *, user: User | None = None) -> None:
    """Let events start this workflow again. Safe to call twice."""
    with transaction.atomic():
        locked = _lock(workflow)
        if not locked.is_active:
            _set(locked, is_active=True)
            if locked.live_version is not None:
                _announce(locked, locked.live_version)
            _audit("revive", locked, user)
    workflow.refresh_from_db()


def move_to_bin(workflow: Workflow, *, user: User | None = None) -> None:
    """Retire the workflow and hide it; its versions and history stay."""
    with transaction.atomic():
        retire(workflow, user=user)
        if workflow.deleted_at is None:
            _set(workflow, deleted_at=clock.now())
            _audit("delete", workflow, user)


def step_row_id(version_id: UUID, slug: str) -> UUID:
    """Return the id of a step's row, the same before and after its version is published."""
    return uuid5(version_id, slug)


def edge_row_id(version_id: UUID, source: str, target: str, branch_key: str) -> UUID:
    """Return the id of an edge's row, the same before and after its version is published."""
    return uuid5(version_id, f"{source}/{branch_key}/{target}")


def _lock(workflow: Workflow, *, also_deleted: bool = False) -> Workflow:
    # Not joined with the live version: after waiting for the lock PostgreSQL reads the locked row
    # anew, but the joined one as it was before, and the version just published would be missed.
    locked: Workflow = Workflow.objects.select_for_update(of=("self",)).get(pk=workflow.pk)
    if locked.deleted_at is not None and not also_deleted:
        raise Conflict("The workflow is in the bin: restore it first.")
    return locked


def _is_unchanged(workflow: Workflow) -> bool:
    live = workflow.live_version
    return live is not None and live.document == workflow.draft


def _refuse_unchanged(workflow: Workflow) -> None:
    if workflow.is_active and _is_unchanged(workflow):
        raise Conflict(
            f"The draft is what {workflow.live_version} holds, which is live: "
            "there is nothing to publish.",
            code="unchanged",
        )


def _make_live(workflow: Workflow, text: str, user: User | None, note: str) -> WorkflowVersion:
    data = text.encode()
    newest = workflow.versions.aggregate(newest=Max("version_num"))["newest"] or 0
    number = newest + 1
    version = WorkflowVersion(
        id=workflow.open_version_id or ids.uuid7(),
        project_id=workflow.project_id,
        workflow=workflow,
        version_num=number,
        s3_key=version_storage.write(workflow.pk, number, data),
        document=text,
        content_hash=canonical.hash_of(data),
        note=note,
        published_by=user,
        published_at=clock.now(),
    )
    version.save(force_insert=True)
    _insert_rows(version)
    _set(workflow, live_version=version, is_active=True, open_version_id=None)
    version.answers = _announce(workflow, version)
    return version


def _insert_rows(version: WorkflowVersion) -> None:
    rows = to_rows(upgrades.read(version.document))
    row_ids = {row.slug: step_row_id(version.pk, row.slug) for row in rows.steps}
    WorkflowStep.objects.bulk_create(
        WorkflowStep(
            id=row_ids[row.slug],
            project_id=version.project_id,
            version=version,
            slug=row.slug,
            position=row.position,
            kind=row.kind,
            action_key=row.action_key,
            title=row.title,
            cfg=row.cfg,
            extra=row.extra,
            parent_id=row_ids.get(row.parent),
        )
        for row in rows.steps
    )
    WorkflowEdge.objects.bulk_create(
        WorkflowEdge(
            id=edge_row_id(version.pk, row.from_slug, row.to_slug, row.branch_key),
            project_id=version.project_id,
            version=version,
            from_step_id=row_ids[row.from_slug],
            to_step_id=row_ids[row.to_slug],
            branch_key=row.branch_key,
            position=row.position,
        )
        for row in rows.edges
    )


def _announce(workflow: Workflow, version: WorkflowVersion) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    sent: list[tuple[Any, Any]] = workflow_published.send(
        sender=Workflow, workflow=workflow, version=version
    )
    for _, answer in sent:
        if isinstance(answer, dict):
            answers.update(answer)
    return answers


def _audit(
    act: str, workflow: Workflow, user: User | None, version: WorkflowVersion | None = None
) -> None:
    # The last statement of its transaction: audit entries are written one after the other.
    detail: dict[str, Any] = {"name": workflow.name}
    if version is not None:
        detail |= {"version_num": version.version_num, "content_hash": version.content_hash}
        detail |= {"note": version.note} if version.note else {}
    audit.record(
        f"workflow.{act}", actor=user, project=workflow.project, obj=workflow, detail=detail
    )


def _set(workflow: Workflow, **fields: Any) -> None:
    for field, value in {**fields, "updated_at": clock.now()}.items():
        setattr(workflow, field, value)
    workflow.save(update_fields=[*fields, "updated_at"])
