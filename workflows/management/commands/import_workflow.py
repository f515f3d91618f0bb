"""``manage.py import_workflow FILE``: makes a workflow of a document."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from leadsend.access.models import Project, User
from leadsend.lib.errors import LeadSendError
from workflows import transfer
from workflows.publishing import publish


class Command(BaseCommand):
    """Reads the canonical document or the shorthand, prints the id of the new workflow."""

    help = "Make a workflow of a document (JSON, full form or shorthand)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file, and whose workflow it becomes."""
        parser.add_argument("file", help="the document; - reads standard input")
        parser.add_argument("--project", help="slug of the project; needed when there are several")
        parser.add_argument("--user", help="e-mail of the owner")
        parser.add_argument("--publish", action="store_true", help="make it live at once")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import, publish when asked to, and print the id."""
        try:
            data = _read(options["file"])
            with transaction.atomic():
                user = _user(options["user"])
                workflow = transfer.import_document(_project(options["project"]), user, data)
                if options["publish"]:
                    publish(workflow, user=user)
        except LeadSendError as error:
            raise CommandError(_told(error)) from error
        self.stdout.write(str(workflow.pk))


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from error


def _project(slug: str | None) -> Project:
    projects = Project.objects.all() if slug is None else Project.objects.filter(slug=slug)
    found = list(projects[:2])
    if len(found) == 1:
        return found[0]
    known = ", ".join(Project.objects.values_list("slug", flat=True)[:20]) or "none yet"
    raise CommandError(f"Name the project with --project; there are: {known}.")


def _user(email: str | None) -> User | None:
    if email is None:
        return None
    user = User.objects.filter(email=email.lower()).first()
    if user is None:
        raise CommandError(f"There is no user {email}.")
    return user


def _told(error: LeadSendError) -> str:
    lines = [f"  {problem.path or '/'}: {problem.message}" for problem in error.problems]
    return "\n".join([error.message, *lines])
