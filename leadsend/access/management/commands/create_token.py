"""``manage.py create_token --user EMAIL --scope SCOPE …``: a token for programs, printed once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from leadsend.access.models import User
from leadsend.access.policy import SCOPES
from leadsend.access.tokens import create_token
from leadsend.lib.errors import LeadSendError


class Command(BaseCommand):
    """Makes an API token and prints it."""

    help = "Make an API token for a user and print it; it cannot be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take user, scopes, project, name and life time."""
        parser.add_argument("--user", required=True, help="The e-mail of the token's user.")
        parser.add_argument(
            "--scope",
            action="append",
            required=True,
            help=f"{', '.join(SCOPES)} (each holds those before it), or a permission; repeatable.",
        )
        parser.add_argument("--project", help="Id or slug; needed when the user sees several.")
        parser.add_argument("--name", default="Made by command")
        parser.add_argument("--days", type=int, help="How long it lives; left out: until revoked.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the token. Ends with a sentence when the user or a scope is not known."""
        user = User.objects.filter(email__iexact=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {options['user']}.")
        try:
            _, token = create_token(
                user=user,
                project=user.project_named(options["project"]),
                name=options["name"],
                scopes=options["scope"],
                days=options["days"],
                actor="command create_token",
            )
        except LeadSendError as error:
            raise CommandError(error.message) from error
        self.stdout.write(token)
