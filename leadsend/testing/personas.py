"""The people whom tests tell stories about.

ana runs operations (admin), ben works with leads (builder), dev writes programs (publisher), eve is
a stranger: admin of a project of her own, and nobody here. vic only looks, olga operates.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.test import Client
from rest_framework.test import APIClient

from leadsend.access.models import Project, Role, User
from leadsend.access.tokens import create_token
from leadsend.testing.factories import make_project, make_user


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Five members of one project, and a stranger with a project of her own."""

    project: Project
    ana: User
    ben: User
    dev: User
    olga: User
    vic: User
    eve: User
    strange_project: Project

    def by_role(self) -> dict[str, User]:
        """Return the members by their role."""
        return {
            Role.VIEWER: self.vic,
            Role.OPERATOR: self.olga,
            Role.BUILDER: self.ben,
            Role.PUBLISHER: self.dev,
            Role.ADMIN: self.ana,
        }


def make_people() -> People:
    """Create them all with their projects; 16 queries."""
    project = make_project("Sales")
    strange = make_project("Strangers")

    def member(name: str, role: str, where: Project = project) -> User:
        return make_user(f"{name.lower()}@example.com", project=where, role=role, name=name)

    return People(
        project=project,
        ana=member("Ana", Role.ADMIN),
        ben=member("Ben", Role.BUILDER),
        dev=member("Dev", Role.PUBLISHER),
        olga=member("Olga", Role.OPERATOR),
        vic=member("Vic", Role.VIEWER),
        eve=member("Eve", Role.ADMIN, strange),
        strange_project=strange,
    )


def api_of(
    user: User | None, *, project: Project | None = None, scopes: tuple[str, ...] = ("admin",)
) -> APIClient:
    """Return an API client that sends a token of the user; of nobody without one."""
    client = APIClient(raise_request_exception=False)
    if user is not None:
        token = token_of(user, project=project, scopes=scopes)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def token_of(
    user: User, *, project: Project | None = None, scopes: tuple[str, ...] = ("admin",)
) -> str:
    """Return a new token of the user for a project, their only one without it."""
    project = project or user.project_named(None)
    return create_token(user=user, project=project, name="of a test", scopes=scopes)[1]


def browser_of(user: User | None) -> Client:
    """Return a client with the user's session, for pages."""
    client = Client()
    if user is not None:
        client.force_login(user)
    return client
