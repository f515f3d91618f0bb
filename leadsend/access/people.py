"""Sets up the organisation, and gives people their place in projects."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from leadsend.access import audit, calendars
from leadsend.access.models import (
    BusinessCalendar,
    Membership,
    Organisation,
    Project,
    Role,
    Team,
    User,
)
from leadsend.lib.errors import Conflict, InvalidInput, Problem

DEFAULT_PROJECT = "main"
SALES_TEAM = "sales_team"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp:
    """What the set-up made: one organisation, its first project, and who runs it."""

    organisation: Organisation
    project: Project
    owner: User


def is_set_up() -> bool:
    """Tell whether the organisation exists; one query."""
    return Organisation.objects.exists()


def set_up_organisation(
    *, organisation: str, name: str, email: str, password: str, timezone: str = "UTC"
) -> SetUp:
    """Create the organisation, its owner and calendar, the first project and ``sales_team``.

    Raises Conflict when it was done before (by whoever came first), InvalidInput with a problem
    per field: ``/organisation /email /password``.
    """
    owner = User(email=email.strip().lower(), name=name.strip(), is_staff=True, is_superuser=True)
    _check(organisation, owner, password)
    try:
        with transaction.atomic():
            row = Organisation.objects.create(name=organisation.strip(), timezone=timezone)
            owner.set_password(password)
            owner.save(force_insert=True)
            project = create_project(
                name=organisation.strip(), slug=DEFAULT_PROJECT, timezone=timezone, owner=owner
            )
            BusinessCalendar.objects.create(
                key=calendars.USUAL, name="Business hours", timezone=timezone, is_usual=True
            )
            audit.record("organisation.set_up", actor=owner, project=project, obj=row)
    except IntegrityError as error:
        raise Conflict("LeadSend is set up already: sign in instead.") from error
    return SetUp(organisation=row, project=project, owner=owner)


def create_project(*, name: str, slug: str, owner: User, timezone: str = "UTC") -> Project:
    """Create a project with its owner as admin and the team ``sales_team``.

    Raises Conflict when the slug is taken.
    """
    try:
        with transaction.atomic():
            project = Project.objects.create(name=name, slug=slug, timezone=timezone)
    except IntegrityError as error:
        raise Conflict(f"There is already a project “{slug}”.") from error
    Membership.objects.create(project=project, user=owner, role=Role.ADMIN)
    team = Team.objects.create(project=project, key=SALES_TEAM, name="Sales")
    team.members.add(owner)
    owner.__dict__.pop("roles", None)
    return project


def add_member(
    *, project: Project, user: User, role: str, actor: User | str | None = None
) -> Membership:
    """Give a user a role in a project. Raises Conflict when they are a member already."""
    try:
        with transaction.atomic():
            row = Membership.objects.create(project=project, user=user, role=Role(role))
            detail = {"user": user.email, "role": role}
            audit.record("member.add", actor=actor, project=project, obj=row, detail=detail)
    except IntegrityError as error:
        raise Conflict(f"{user} is a member already: change the role instead.") from error
    user.__dict__.pop("roles", None)
    return row


def change_role(member: Membership, *, role: str, actor: User) -> Membership:
    """Give a member another role. Raises Conflict when no admin would be left."""
    with transaction.atomic():
        _keep_an_admin(member, leaves=role != Role.ADMIN)
        before, member.role = member.role, Role(role)
        member.save(update_fields=["role"])
        detail = {"user": member.user.email, "before": before, "after": role}
        audit.record(
            "member.change", actor=actor, project=member.project, obj=member, detail=detail
        )
    return member


def remove_member(member: Membership, *, actor: User) -> None:
    """Take a member out of a project. Raises Conflict when no admin would be left."""
    with transaction.atomic():
        _keep_an_admin(member, leaves=True)
        detail = {"user": member.user.email, "role": member.role}
        audit.record(
            "member.remove", actor=actor, project=member.project, obj=member, detail=detail
        )
        member.delete()


def _keep_an_admin(member: Membership, *, leaves: bool) -> None:
    """Refuse to leave a project without an admin; the rows of its admins stay locked."""
    if member.role != Role.ADMIN or not leaves:
        return
    admins = Membership.objects.select_for_update().filter(project=member.project, role=Role.ADMIN)
    if len(admins) < 2:
        raise Conflict("A project needs an admin: make somebody else admin first.")


def _check(organisation: str, owner: User, password: str) -> None:
    problems = []
    if not organisation.strip():
        problems.append(_problem("organisation", "Give your organisation a name."))
    problems += _refusals("email", validate_email, owner.email)
    problems += _refusals("password", validate_password, password, owner)
    if problems:
        raise InvalidInput(problems[0].message, problems=problems)


def _refusals(field: str, check: object, *values: object) -> list[Problem]:
    try:
        check(*values)  # type: ignore[operator]  # one of the two validators above
    except ValidationError as error:
        return [_problem(field, message) for message in error.messages]
    return []


def _problem(field: str, message: str) -> Problem:
    return Problem(code="invalid", message=message, path=f"/{field}")
