"""Makes and changes teams, the groups that tasks can be given to."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import IntegrityError, transaction

from leadsend.access import audit
from leadsend.access.models import Project, Team, User
from leadsend.lib.errors import Conflict, InvalidInput, Problem


def create_team(
    *, project: Project, key: str, name: str, member_ids: Sequence[UUID], actor: User
) -> Team:
    """Create a team. Raises Conflict (key), InvalidInput when somebody is no member."""
    users = _members(project, member_ids)
    try:
        with transaction.atomic():
            team = Team.objects.create(project=project, key=key, name=name)
            team.members.set(users)
            audit.record("team.create", actor=actor, project=project, obj=team, detail={"key": key})
    except IntegrityError as error:
        raise Conflict(f"There is already a team “{key}”.") from error
    return team


def change_team(
    team: Team, *, name: str | None, member_ids: Sequence[UUID] | None, actor: User
) -> None:
    """Rename a team, or replace its members. Raises InvalidInput when somebody is no member."""
    users = None if member_ids is None else _members(team.project, member_ids)
    with transaction.atomic():
        if name is not None:
            team.name = name
            team.save(update_fields=["name"])
        if users is not None:
            team.members.set(users)
        audit.record(
            "team.change",
            actor=actor,
            project=team.project,
            obj=team,
            detail={"name": name, "member_ids": member_ids},
        )


def delete_team(team: Team, *, actor: User) -> None:
    """Delete a team. Raises Django's ProtectedError while tasks refer to it."""
    with transaction.atomic():
        audit.record(
            "team.delete", actor=actor, project=team.project, obj=team, detail={"key": team.key}
        )
        team.delete()


def _members(project: Project, member_ids: Sequence[UUID]) -> list[User]:
    found = list(User.objects.filter(pk__in=member_ids, memberships__project=project))
    missing = set(member_ids) - {user.pk for user in found}
    if missing:
        message = f"{len(missing)} of these are no members of the project: add them first."
        problem = Problem(code="unknown", message=message, path="/member_ids")
        raise InvalidInput(message, problems=[problem])
    return found
