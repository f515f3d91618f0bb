"""What the views of this app share: how input is read, and which project is meant."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.serializers import Serializer
from rest_framework.viewsets import GenericViewSet

from leadsend.access.models import Project, User
from leadsend.lib.errors import InvalidInput, NotFound, Problem
from leadsend.lib.input_guard import clean_text
from workflows.models import Workflow, WorkflowQuerySet


class DesignViewSet(GenericViewSet[Any]):
    """Base of the views on what is designed."""

    lookup_value_regex = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

    @property
    def user(self) -> User:
        """Return who asks; the policy has let them in."""
        user: User = self.request.user  # type: ignore[assignment]  # never anonymous here
        return user

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

    def read(self, serializer: type[Serializer[Any]], data: Any = None) -> dict[str, Any]:
        """Return the request's body (or ``data``) as the serializer describes it."""
        form = serializer(data=self.request.data if data is None else data)
        form.is_valid(raise_exception=True)
        fields: dict[str, Any] = form.validated_data
        return fields


def project_of(request: Request, wanted: Any) -> Project:
    """Return the project a new row goes to: the one named by id or slug, else the only one.

    Raises InvalidInput when there are several, or none that the user sees has this name.
    """
    token_project = getattr(request.auth, "project_id", None)
    user: User = request.user  # type: ignore[assignment]  # never anonymous here
    projects = Project.objects.all()
    if not user.is_superuser:
        projects = projects.filter(pk__in=list(user.roles))
    if token_project is not None:
        projects = projects.filter(pk=token_project)
    if wanted is not None:
        projects = projects.filter(_named(str(wanted)))
    found = list(projects[:2])
    if len(found) == 1:
        return found[0]
    message = "Name one of your projects: fill in “project” with its id or slug."
    raise InvalidInput(
        message, problems=[Problem(code="missing", message=message, path="/project")]
    )


def _named(wanted: str) -> Q:
    try:
        return Q(pk=UUID(wanted))
    except ValueError:
        return Q(slug=clean_text(wanted))
