"""What the views of this app share."""

from __future__ import annotations

from uuid import UUID

from leadsend.access import policy
from leadsend.access.models import Project
from leadsend.lib.api import ProjectViewSet
from leadsend.lib.errors import NotFound
from workflows.models import Workflow, WorkflowQuerySet


class DesignViewSet(ProjectViewSet):
    """Base of the views on what is designed."""

    def workflows(self) -> WorkflowQuerySet:
        """Return the workflows that the user may see and that are not in the bin."""
        visible: WorkflowQuerySet = Workflow.objects.visible_to(self.user)
        return visible.not_deleted().with_live_version()

    def workflow(self, workflow_id: UUID | str) -> Workflow:
        """Return a workflow that the user may act on. Raises NotFound, NotAllowed."""
        workflow: Workflow | None = self.workflows().filter(pk=workflow_id).first()
        if workflow is None:
            raise NotFound(f"There is no workflow {workflow_id}.")
        self.check_object_permissions(self.request, workflow)
        return workflow

    def require_publisher(self, row: Workflow | Project) -> None:
        """Raise NotAllowed unless the user may decide what is live in the row's project."""
        policy.require(self.user, "workflow.publish", row.project_id)
