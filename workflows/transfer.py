"""Takes documents in and out, and checks that stored versions are what they were."""

from __future__ import annotations

from collections.abc import Iterator

from leadsend.access.models import Project, User
from leadsend.lib.errors import LeadSendError
from workflows import drafts, version_storage
from workflows.definition import canonical
from workflows.models import Workflow, WorkflowVersion


def export_document(workflow: Workflow, version_num: int | None = None) -> bytes:
    """Return the canonical bytes of a version, or (None) of the draft.

    Secret variables are in it by name only. Raises WorkflowVersion.DoesNotExist.
    """
    if version_num is None:
        draft: str = workflow.draft
        return draft.encode()
    version = WorkflowVersion.objects.get(workflow=workflow, version_num=version_num)
    return version.document.encode()


def import_document(project: Project, user: User | None, data: bytes | str) -> Workflow:
    """Create a workflow from the bytes of a document, full or shorthand; nothing is published.

    Raises UnreadableInput or InvalidInput.
    """
    return drafts.create_workflow(project, user, canonical.load_json(data))


def find_broken_versions() -> Iterator[tuple[WorkflowVersion, str]]:
    """Yield the versions whose document or object is not what their hash says, with the reason."""
    versions = WorkflowVersion.objects.order_by("id").iterator(chunk_size=200)
    for version in versions:
        reason = _broken(version)
        if reason:
            yield version, reason


def _broken(version: WorkflowVersion) -> str:
    if canonical.hash_of(version.document.encode()) != version.content_hash:
        return "the document in the database does not have the hash of its version"
    try:
        stored = version_storage.read(version.workflow_id, version.version_num)
    except LeadSendError as error:
        return error.message
    if stored != version.document.encode():
        return f"the object {version.s3_key} differs from the document in the database"
    return ""
