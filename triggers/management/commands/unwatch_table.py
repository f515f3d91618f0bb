"""``manage.py unwatch_table``: takes a table's trigger away."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from leadsend.lib.errors import LeadSendError
from triggers import db_changes
from triggers.management.commands.watch_table import project_named
from triggers.row_triggers import table_name


class Command(BaseCommand):
    """Stops watching a table for a project."""

    help = "Stops recording the changes of a table for a project; the table is as it was before."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the table and the project."""
        parser.add_argument("table", help="such as leads or crm.leads")
        parser.add_argument("--project", default="default", help="its short name (default)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Stop watching, or say who listens."""
        try:
            name = table_name(options["table"])
            db_changes.unwatch(project_named(options["project"]).pk, name)
        except LeadSendError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"No longer watching {name}.")
