"""What the resources about people and access take and give."""

from __future__ import annotations

from typing import Any, ClassVar, cast
from uuid import UUID

from rest_framework import serializers

from leadsend.access.models import ApiToken, AuditEntry, Membership, Project, Role, Team
from leadsend.lib.rest.serializers import StrictModelSerializer, StrictSerializer

_PROJECT = "Id or slug; needed with several."


class ProjectSerializer(serializers.ModelSerializer[Project]):
    """A project."""

    failure_workflow_id = serializers.UUIDField(allow_null=True)

    class Meta:
        model = Project
        fields: ClassVar[list[str]] = [
            "id",
            "name",
            "slug",
            "timezone",
            "failure_workflow_id",
            "created_at",
        ]


class NewProjectSerializer(StrictSerializer):
    """A project to make."""

    name = serializers.CharField(max_length=200)
    slug = serializers.SlugField(max_length=80)
    timezone = serializers.CharField(max_length=64, required=False, default="UTC")


class ProjectChangeSerializer(StrictModelSerializer):
    """What can be changed of a project."""

    failure_workflow_id = serializers.UUIDField(
        allow_null=True,
        required=False,
        help_text="The workflow that is told when a run of this project fails.",
    )

    class Meta:
        model = Project
        fields: ClassVar[list[str]] = ["name", "timezone", "failure_workflow_id"]

    def validate_failure_workflow_id(self, value: UUID | None) -> UUID | None:
        """Refuse what is no workflow of this project."""
        workflows = Project.failure_workflow.get_queryset(
            instance=cast(Project, self.instance or Project())
        )
        if value is not None and not workflows.filter(pk=value, project=self.instance).exists():
            raise serializers.ValidationError("This project has no workflow with this id.")
        return value


class MemberSerializer(serializers.ModelSerializer[Membership]):
    """A member of a project, and their role."""

    user_id = serializers.UUIDField()
    project_id = serializers.UUIDField()
    email = serializers.EmailField(source="user.email")
    name = serializers.CharField(source="user.name")

    class Meta:
        model = Membership
        fields: ClassVar[list[str]] = [
            "id",
            "project_id",
            "user_id",
            "email",
            "name",
            "role",
            "created_at",
        ]


class NewMemberSerializer(StrictSerializer):
    """Who becomes a member, by the e-mail they sign in with."""

    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=Role.choices)
    project = serializers.CharField(required=False, help_text=_PROJECT)


class RoleSerializer(StrictSerializer):
    """Another role."""

    role = serializers.ChoiceField(choices=Role.choices)


class TeamSerializer(serializers.ModelSerializer[Team]):
    """A team; ``key`` is its name in workflows."""

    project_id = serializers.UUIDField()
    member_ids = serializers.SerializerMethodField()

    class Meta:
        model = Team
        fields: ClassVar[list[str]] = [
            "id",
            "project_id",
            "key",
            "name",
            "member_ids",
            "created_at",
        ]

    def get_member_ids(self, team: Team) -> list[str]:
        """Return the ids of the team's users; fetched along by the view."""
        return [str(user.pk) for user in team.members.all()]


class TeamChangeSerializer(StrictSerializer):
    """What can be changed of a team; ``member_ids`` replaces its members."""

    name = serializers.CharField(max_length=200, required=False)
    member_ids = serializers.ListField(
        child=serializers.UUIDField(), required=False, max_length=1000
    )


class NewTeamSerializer(TeamChangeSerializer):
    """A team to make."""

    key = serializers.SlugField(max_length=80)
    name = serializers.CharField(max_length=200)
    project = serializers.CharField(required=False, help_text=_PROJECT)


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token without itself: ``prefix`` are its first letters."""

    project_id = serializers.UUIDField()
    user_id = serializers.UUIDField()
    scopes = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = ApiToken
        fields: ClassVar[list[str]] = [
            "id",
            "project_id",
            "user_id",
            "name",
            "prefix",
            "scopes",
            "expires_at",
            "last_used_at",
            "revoked_at",
            "created_at",
        ]


class MadeTokenSerializer(TokenSerializer):
    """A new token, with the token itself for the only time."""

    token = serializers.CharField()

    class Meta(TokenSerializer.Meta):
        fields: ClassVar[list[str]] = [*TokenSerializer.Meta.fields, "token"]


class NewTokenSerializer(StrictSerializer):
    """A token to make, for oneself or for a member of the project."""

    name = serializers.CharField(max_length=200)
    scopes = serializers.ListField(
        child=serializers.CharField(max_length=80), allow_empty=False, max_length=50
    )
    days = serializers.IntegerField(required=False, min_value=1, max_value=3650)
    user_id = serializers.UUIDField(required=False)
    project = serializers.CharField(required=False, help_text=_PROJECT)


class AuditSerializer(serializers.ModelSerializer[AuditEntry]):
    """What somebody did."""

    project_id = serializers.UUIDField(allow_null=True)
    actor_id = serializers.UUIDField(allow_null=True)
    detail: Any = serializers.JSONField()

    class Meta:
        model = AuditEntry
        fields: ClassVar[list[str]] = [
            "id",
            "number",
            "project_id",
            "actor_id",
            "actor_label",
            "act",
            "object_type",
            "object_id",
            "detail",
            "address",
            "at",
            "previous_hash",
            "hash",
        ]
