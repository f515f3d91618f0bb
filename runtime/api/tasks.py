"""``/api/v1/tasks/``: to-dos of people and teams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from leadsend.access.models import Team, User
from leadsend.lib.api import ProjectViewSet
from leadsend.lib.errors import InvalidInput, Problem
from runtime import human_tasks
from runtime.api import serializers as taken
from runtime.api import shapes
from runtime.api.filters import TaskFilter
from runtime.models import Task, TaskQuerySet


class TaskViewSet(ProjectViewSet):
    """To-dos in the projects one is a member of."""

    serializer_class = taken.TaskSerializer
    filterset_class = TaskFilter
    order_fields = ("id", "title", "created_at", "updated_at")
    policy: ClassVar[Mapping[str, str]] = {
        "list": "task.read",
        "retrieve": "task.read",
        "create": "task.work",
        "complete": "task.work",
        "cancel": "task.work",
        "reassign": "task.work",
    }

    def get_queryset(self) -> TaskQuerySet:
        """Return the tasks that the user may see."""
        visible: TaskQuerySet = Task.objects.visible_to(self.user)
        return visible.select_related("team")

    def list(self, request: Request) -> Response:
        """List tasks, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([shapes.task(row) for row in page or ()])

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a task."""
        return Response(shapes.task(self._task()))

    @extend_schema(request=taken.NewTaskSerializer, responses={201: taken.TaskSerializer})
    def create(self, request: Request) -> Response:
        """Make a task by hand."""
        project = self.project()
        fields = self.read(taken.NewTaskSerializer)
        fields.pop("project", None)
        holder = _holder(project.pk, fields)
        task = human_tasks.create(project, user=self.user, **holder, **fields)
        return Response(shapes.task(task), status=status.HTTP_201_CREATED)

    @extend_schema(request=taken.AnswerSerializer, responses=taken.TaskSerializer)
    @action(detail=True, methods=["post"])
    def complete(self, request: Request, pk: str) -> Response:
        """Mark a task as done."""
        task = self._task()
        fields = self.read(taken.AnswerSerializer)
        done = human_tasks.complete(task, user=self.user, answer=fields.get("answer"))
        return Response(shapes.task(done))

    @extend_schema(request=taken.ReasonSerializer, responses=taken.TaskSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Close a task that nobody has to do any more."""
        task = self._task()
        fields = self.read(taken.ReasonSerializer)
        return Response(shapes.task(human_tasks.cancel(task, user=self.user, **fields)))

    @extend_schema(request=taken.HolderSerializer, responses=taken.TaskSerializer)
    @action(detail=True, methods=["post"])
    def reassign(self, request: Request, pk: str) -> Response:
        """Give a task to another person or team."""
        task = self._task()
        holder = _holder(task.project_id, self.read(taken.HolderSerializer))
        return Response(shapes.task(human_tasks.reassign(task, user=self.user, **holder)))

    def _task(self) -> Task:
        task: Task = self.get_object()
        return task


def _holder(project_id: UUID, fields: dict[str, Any]) -> dict[str, Any]:
    assignee_id, key = fields.pop("assignee_id", None), fields.pop("team", None)
    holder: dict[str, Any] = {}
    if assignee_id is not None:
        people = User.objects.filter(memberships__project=project_id, pk=assignee_id)
        holder["assignee"] = people.first()
        if holder["assignee"] is None:
            _refuse("assignee_id", "is no member")
    if key is not None:
        teams = Team.objects.filter(project=project_id, key=key)
        holder["team"] = teams.first()
        if holder["team"] is None:
            _refuse("team", "is no team")
    return holder


def _refuse(name: str, what: str) -> NoReturn:
    message = f"This {what} of the task's project."
    raise InvalidInput(
        message, problems=[Problem(code="unknown", message=message, path=f"/{name}")]
    )
