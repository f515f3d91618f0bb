"""``manage.py seed_registry``: mirrors actions, trigger types and credential types."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from registry.seeding import seed_registry


class Command(BaseCommand):
    """Brings the registry tables to the state of the code."""

    help = "Mirrors actions, trigger types and credential types into the tables; says what changed."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--check``."""
        parser.add_argument(
            "--check", action="store_true", help="change nothing; exit 1 when there is a difference"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Seed, or only compare."""
        changes = seed_registry(write=not options["check"])
        for change in changes:
            self.stdout.write(str(change))
        if not changes:
            self.stdout.write("The registry is up to date.")
        elif options["check"]:
            raise CommandError(f"{len(changes)} entries differ: run manage.py seed_registry.")
