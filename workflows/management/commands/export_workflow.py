"""``manage.py export_workflow ID``: prints a workflow's document."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from workflows import transfer
from workflows.models import Workflow, WorkflowVersion


class Command(BaseCommand):
    """Prints the canonical document of the live version, of another one, or of the draft."""

    help = "Print the canonical document of a workflow."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the id, and which version."""
        parser.add_argument("id", type=UUID)
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--version-num", type=int, metavar="N", help="this version")
        which.add_argument("--draft", action="store_true", help="the draft, not the live version")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the document, exactly its bytes and a newline."""
        workflow = Workflow.objects.select_related("live_version").filter(pk=options["id"]).first()
        if workflow is None:
            raise CommandError(f"There is no workflow {options['id']}.")
        number = options["version_num"]
        if number is None and not options["draft"] and workflow.live_version is not None:
            number = workflow.live_version.version_num
        try:
            data = transfer.export_document(workflow, number)
        except WorkflowVersion.DoesNotExist as error:
            raise CommandError(f"“{workflow}” has no version {number}.") from error
        self.stdout.write(data.decode())
