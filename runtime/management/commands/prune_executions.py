"""``manage.py prune_executions``: deletes history past its time, and makes partitions ahead."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from runtime import retention, sweeping


class Command(BaseCommand):
    """Prints what was made and what was deleted."""

    help = "Makes the partitions of the next months, drops old months, deletes old runs in batches."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take how many runs are deleted at most."""
        parser.add_argument(
            "--most", type=int, default=retention.MOST, help="Delete at most this many."
        )

    def handle(self, *args: Any, most: int, **options: Any) -> None:
        """Make partitions, then prune."""
        for name in retention.ensure_partitions():
            self.stdout.write(f"made {name}")
        pruned = retention.prune(most=most)
        for name in pruned.months:
            self.stdout.write(f"dropped {name}")
        swept = sweeping.sweep()
        told = f"Deleted {pruned.executions} runs, {pruned.mails} mails, {swept} large values."
        self.stdout.write(self.style.SUCCESS(told))
