"""``/api/v1/`` ``projects members teams tokens audit``: who there is, and what they did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

import django_filters as filters
from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response

from leadsend.access import audit, people, policy, teams, tokens
from leadsend.access.api import serializers as shown
from leadsend.access.models import (
    ApiToken,
    AuditEntry,
    Membership,
    Project,
    ProjectQuerySet,
    Team,
    User,
)
from leadsend.lib.api import ProjectViewSet
from leadsend.lib.errors import InvalidInput, Problem


class AuditFilter(filters.FilterSet):  # type: ignore[misc]  # no types
    """Who, what, on which object."""

    class Meta:
        model = AuditEntry
        fields: ClassVar[list[str]] = ["act", "actor_id", "object_type", "object_id"]


class ReadOnlyViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ProjectViewSet):
    """Base of what can be listed and looked at."""


class ProjectRoutes(ReadOnlyViewSet):
    """Projects that one is a member of."""

    queryset = Project.objects.none()
    serializer_class = shown.ProjectSerializer
    order_fields = ("id", "name", "slug")
    policy: ClassVar[Mapping[str, str]] = {
        "list": "project.read",
        "retrieve": "project.read",
        "create": "installation.manage",
        "partial_update": "project.manage",
    }

    def get_queryset(self) -> QuerySet[Project]:
        """Return the projects that the user sees."""
        found: QuerySet[Project] = self.user.projects()
        return found

    @extend_schema(request=shown.NewProjectSerializer, responses={201: shown.ProjectSerializer})
    def create(self, request: Request) -> Response:
        """Make a project, whose admin one becomes."""
        fields = self.read(shown.NewProjectSerializer)
        with transaction.atomic():
            project = people.create_project(owner=self.user, **fields)
            audit.record(
                "project.create", actor=self.user, project=project, obj=project, request=request
            )
        return Response(shown.ProjectSerializer(project).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=shown.ProjectChangeSerializer, responses=shown.ProjectSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Rename a project, set its time zone, or name the workflow that is told of failures."""
        project: Project = self.get_object()
        form = shown.ProjectChangeSerializer(project, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        with transaction.atomic():
            form.save()
            audit.record(
                "project.change",
                actor=self.user,
                project=project,
                obj=project,
                detail={
                    key: str(value) if isinstance(value, UUID) else value
                    for key, value in form.validated_data.items()
                },
                request=request,
            )
        return Response(shown.ProjectSerializer(project).data)


class MemberRoutes(ReadOnlyViewSet):
    """Members of one's projects, and their roles."""

    serializer_class = shown.MemberSerializer
    policy: ClassVar[Mapping[str, str]] = {
        "list": "member.read",
        "retrieve": "member.read",
        "create": "member.manage",
        "partial_update": "member.manage",
        "destroy": "member.manage",
    }

    def get_queryset(self) -> ProjectQuerySet:
        """Return the memberships of visible projects."""
        return Membership.objects.visible_to(self.user).select_related("user", "project")

    @extend_schema(request=shown.NewMemberSerializer, responses={201: shown.MemberSerializer})
    def create(self, request: Request) -> Response:
        """Make somebody who can sign in a member."""
        fields = self.read(shown.NewMemberSerializer)
        project = self.project()
        user = User.objects.filter(email=fields["email"].lower(), is_active=True).first()
        if user is None:
            raise _refused("email", "Nobody signs in with this e-mail: add the person first.")
        row = people.add_member(project=project, user=user, role=fields["role"], actor=self.user)
        return Response(shown.MemberSerializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=shown.RoleSerializer, responses=shown.MemberSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Give a member another role."""
        row: Membership = self.get_object()
        role = self.read(shown.RoleSerializer)["role"]
        return Response(
            shown.MemberSerializer(people.change_role(row, role=role, actor=self.user)).data
        )

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Take a member out of the project."""
        people.remove_member(self.get_object(), actor=self.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class TeamRoutes(ReadOnlyViewSet):
    """Teams, which tasks can be given to."""

    serializer_class = shown.TeamSerializer
    order_fields = ("id", "key", "name")
    policy = MemberRoutes.policy

    def get_queryset(self) -> ProjectQuerySet:
        """Return the teams of visible projects with their members."""
        return Team.objects.visible_to(self.user).prefetch_related("members")

    @extend_schema(request=shown.NewTeamSerializer, responses={201: shown.TeamSerializer})
    def create(self, request: Request) -> Response:
        """Make a team."""
        fields = self.read(shown.NewTeamSerializer)
        team = teams.create_team(
            project=self.project(),
            key=fields["key"],
            name=fields["name"],
            member_ids=fields.get("member_ids", []),
            actor=self.user,
        )
        return Response(shown.TeamSerializer(team).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=shown.TeamChangeSerializer, responses=shown.TeamSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Rename a team, or replace its members."""
        team: Team = self.get_object()
        fields = self.read(shown.TeamChangeSerializer)
        teams.change_team(
            team, name=fields.get("name"), member_ids=fields.get("member_ids"), actor=self.user
        )
        return Response(shown.TeamSerializer(self.get_queryset().get(pk=pk)).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a team that no task refers to."""
        teams.delete_team(self.get_object(), actor=self.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class TokenRoutes(ReadOnlyViewSet):
    """API tokens of the projects that one administers."""

    serializer_class = shown.TokenSerializer
    policy: ClassVar[Mapping[str, str]] = {
        "list": "token.read",
        "retrieve": "token.read",
        "create": "token.manage",
        "destroy": "token.manage",
    }

    def get_queryset(self) -> ProjectQuerySet:
        """Return visible tokens; in a list those of projects that one administers."""
        rows = ApiToken.objects.visible_to(self.user).select_related("project")
        return rows if self.kwargs else policy.rows_where(rows, self.user, "token.read")

    @extend_schema(request=shown.NewTokenSerializer, responses={201: shown.MadeTokenSerializer})
    def create(self, request: Request) -> Response:
        """Make a token; the answer shows it for the only time."""
        fields = self.read(shown.NewTokenSerializer)
        project = self.project()
        row, token = tokens.create_token(
            user=self._member(project, fields.get("user_id")),
            project=project,
            name=fields["name"],
            scopes=fields["scopes"],
            days=fields.get("days"),
            actor=self.user,
        )
        body = {**shown.TokenSerializer(row).data, "token": token}
        return Response(body, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Revoke a token: it opens nothing from now on, its row stays for the record."""
        tokens.revoke(self.get_object(), actor=self.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _member(self, project: Project, user_id: Any) -> User:
        if user_id is None or user_id == self.user.pk:
            user: User = self.user
            return user
        found = User.objects.filter(pk=user_id, is_active=True, memberships__project=project)
        member = found.first()
        if member is None:
            raise _refused("user_id", "This is no member of the project.")
        return member


class AuditRoutes(ReadOnlyViewSet):
    """What people and LeadSend itself did, newest first."""

    serializer_class = shown.AuditSerializer
    filterset_class = AuditFilter
    order_fields = ("number",)
    default_order = "-number"
    policy: ClassVar[Mapping[str, str]] = {"list": "audit.read", "retrieve": "audit.read"}

    def get_queryset(self) -> ProjectQuerySet:
        """Return visible entries; in a list those of projects that one administers."""
        rows = AuditEntry.objects.visible_to(self.user)
        return rows if self.kwargs else policy.rows_where(rows, self.user, "audit.read")


def _refused(field: str, message: str) -> InvalidInput:
    return InvalidInput(
        message, problems=[Problem(code="unknown", message=message, path=f"/{field}")]
    )
