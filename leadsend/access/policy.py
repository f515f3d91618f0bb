"""Who may do what: the one function that API, pages, admin, websockets and exports ask.

A permission is ``<thing>.<act>``. A role in a project may all that lower roles may; a superuser
may everything. A token narrows its user further: to its project and to its scopes, which are
names of ``SCOPES`` (each holds those before it) or of single permissions.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.contrib.auth.models import AnonymousUser

from leadsend.access.models import ApiToken, ProjectQuerySet, Role, User
from leadsend.lib.errors import NotAllowed, NotFound

PUBLIC = "public"
SIGNED_IN = "signed_in"
INSTALLATION = "installation"

# Permission → the lowest role that has it in a project, or one of the three levels above:
# everybody, everybody who is signed in, only who runs the installation (superusers).
PERMISSIONS: dict[str, str] = {
    "public": PUBLIC,
    "self.read": SIGNED_IN,
    "registry.read": SIGNED_IN,
    "template.read": SIGNED_IN,
    "project.read": Role.VIEWER,
    "workflow.read": Role.VIEWER,
    "subscription.read": Role.VIEWER,
    "execution.read": Role.VIEWER,
    "event.read": Role.VIEWER,
    "task.read": Role.VIEWER,
    "member.read": Role.VIEWER,
    "mail.read": Role.OPERATOR,
    "workflow.run": Role.OPERATOR,
    "execution.operate": Role.OPERATOR,
    "event.replay": Role.OPERATOR,
    "task.work": Role.OPERATOR,
    "workflow.edit": Role.BUILDER,
    "credential.read": Role.BUILDER,
    "workflow.publish": Role.PUBLISHER,
    "subscription.manage": Role.PUBLISHER,
    "credential.manage": Role.ADMIN,
    "member.manage": Role.ADMIN,
    "project.manage": Role.ADMIN,
    "token.read": Role.ADMIN,
    "token.manage": Role.ADMIN,
    "audit.read": Role.ADMIN,
    "installation.manage": INSTALLATION,
}

# Scope of a token → the highest role whose permissions it lets through.
SCOPES: dict[str, str] = {
    "read": Role.VIEWER,
    "run": Role.OPERATOR,
    "edit": Role.BUILDER,
    "publish": Role.PUBLISHER,
    "admin": Role.ADMIN,
}

_RANK = {role: rank for rank, role in enumerate(Role.values)}

Someone = User | AnonymousUser


def may(user: Someone, permission: str, project_id: UUID | None = None) -> bool:
    """Tell whether the user has this permission in this project; at most one query a request."""
    level = PERMISSIONS[permission]
    if level == PUBLIC:
        return True
    if not in_scope(user, permission):
        return False
    assert isinstance(user, User)  # noqa: S101 - in_scope lets nobody else through
    if level == SIGNED_IN or user.sees_all:
        return True
    if level == INSTALLATION or project_id is None:
        return False
    role = user.roles.get(project_id)
    return role is not None and _RANK[role] >= _RANK[level]


def may_somewhere(user: Someone, permission: str) -> bool:
    """Tell whether there is a project in which the user has this permission."""
    if may(user, permission):
        return True
    return isinstance(user, User) and any(may(user, permission, project) for project in user.roles)


def projects_where(user: User, permission: str) -> list[UUID]:
    """Return the ids of the user's own projects in which they have this permission."""
    return [project for project in user.roles if may(user, permission, project)]


def rows_where(rows: ProjectQuerySet, user: Someone, permission: str) -> ProjectQuerySet:
    """Keep the rows of projects in which the user has the permission: for lists not for viewers."""
    if not isinstance(user, User):
        return rows.none()
    if user.sees_all:
        return rows
    return rows.visible_to(user).filter(project_id__in=projects_where(user, permission))


def require(user: Someone, permission: str, project_id: UUID) -> None:
    """Raise NotAllowed when the user lacks the permission, NotFound when they see nothing at all."""
    if may(user, permission, project_id):
        return
    if isinstance(user, User) and (user.sees_all or project_id in user.roles):
        raise NotAllowed(f"Your role in this project does not include “{permission}”.")
    raise NotFound("There is no such object.")


def in_scope(user: Someone, permission: str) -> bool:
    """Tell whether an active user is signed in, and their token, if any, is for this permission."""
    if not (isinstance(user, User) and user.is_active):
        return False
    return user.token is None or _covered(user.token.scopes, permission)


def is_of_project(permission: str) -> bool:
    """Tell whether a permission is held in a project, through a role."""
    return PERMISSIONS[permission] in _RANK


def may_give(user: User, scopes: Iterable[str]) -> bool:
    """Tell whether a token that the user came with covers all that these scopes let through."""
    return user.token is None or all(
        _covered(user.token.scopes, permission)
        for permission in PERMISSIONS
        if is_of_project(permission) and _covered(list(scopes), permission)
    )


def scope_problem(scopes: Iterable[str]) -> str:
    """Return what is wrong with a token's scopes, or an empty text."""
    wanted = list(scopes)
    unknown = [scope for scope in wanted if scope not in SCOPES and scope not in PERMISSIONS]
    if unknown:
        return f"There is no scope {', '.join(unknown)}: choose {', '.join(SCOPES)}."
    return "" if wanted else f"Choose at least one scope: {', '.join(SCOPES)}."


def _covered(scopes: Iterable[str], permission: str) -> bool:
    level = PERMISSIONS[permission]
    rank = _RANK.get(level, 0 if level == SIGNED_IN else len(_RANK))
    return any(
        scope == permission or (scope in SCOPES and _RANK[SCOPES[scope]] >= rank)
        for scope in scopes
    )


def roles_under(token: ApiToken, user: User) -> dict[UUID, str]:
    """Return the roles that a token leaves its user: the one in its project, if there is one."""
    if user.is_superuser:
        return {token.project_id: Role.ADMIN}
    role = user.memberships.filter(project=token.project_id).values_list("role", flat=True).first()
    return {token.project_id: role} if role else {}
