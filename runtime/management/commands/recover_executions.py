"""``manage.py recover_executions``: picks up what dead processes left, now."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandParser

from runtime import recovery
from runtime.recovery import Reaped

_SHOWN = 50


class Command(BaseCommand):
    """Prints what was handed on or ended, and which runs were given up."""

    help = "Hands on the runs of dead processes, ends those out of time, lists what was given up."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the id of a worker that is known to be dead."""
        parser.add_argument(
            "--worker", type=UUID, help="Free the leases of this worker row without waiting."
        )

    def handle(self, *args: Any, worker: UUID | None = None, **options: Any) -> None:
        """Reap until nothing is left."""
        if worker is not None:
            self._say(recovery.release_worker(worker))
        while (reaped := recovery.reap()).total:
            self._say(reaped)
        letters = recovery.dead_letters()[:_SHOWN]
        for execution in letters:
            self.stdout.write(f"given up: {execution.pk} ({execution.crash_count} crashes)")
        self.stdout.write(self.style.SUCCESS("Nothing is left behind."))

    def _say(self, reaped: Reaped) -> None:
        self.stdout.write(
            f"handed on {reaped.handed_on}, paused {reaped.paused}, cancelled {reaped.cancelled}, "
            f"timed out {reaped.timed_out}, given up {reaped.poisoned}"
        )
