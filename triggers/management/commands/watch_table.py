"""``manage.py watch_table``: lets changes of a table start workflows."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from leadsend.access.models import Project
from leadsend.lib.errors import LeadSendError
from triggers import db_changes
from triggers.row_triggers import OPERATIONS, table_name


class Command(BaseCommand):
    """Watches a table for a project until ``unwatch_table``."""

    help = "Records the changes of a table as events of a project, so that they start workflows."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the table, the project, and what of the changes is recorded."""
        parser.add_argument("table", help="such as leads or crm.leads")
        parser.add_argument("--project", default="default", help="its short name (default)")
        parser.add_argument(
            "--operations", default="insert,update", help=f"some of {', '.join(OPERATIONS)}"
        )
        parser.add_argument("--columns", default="", help="what to carry, such as id,name (all)")
        parser.add_argument("--key", default="id", help="the column that names a row (id)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Watch, and say whether the table is there."""
        try:
            name = table_name(options["table"])
            row = db_changes.watch(
                project_named(options["project"]).pk,
                name,
                operations=_operations(options["operations"]),
                columns=_words(options["columns"]) or None,
                key_column=options["key"],
                is_by_hand=True,
            )
        except LeadSendError as error:
            raise CommandError(error.message) from error
        if row.waiting_since is not None:
            self.stdout.write(f"The table {name} does not exist yet: watched as soon as it does.")
        else:
            self.stdout.write(f"Watching {name}: {', '.join(row.operations)}.")


def project_named(slug: str) -> Project:
    """Return the project of a short name. Raises CommandError that names those there are."""
    found = Project.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(Project.objects.values_list("slug", flat=True)) or "none"
        raise CommandError(f"There is no project “{slug}”. There are: {known}.")
    return found


def _operations(text: str) -> list[str]:
    chosen = _words(text)
    unknown = [one for one in chosen if one not in OPERATIONS]
    if unknown or not chosen:
        raise CommandError(f"--operations takes some of {', '.join(OPERATIONS)}, not “{text}”.")
    return chosen


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
