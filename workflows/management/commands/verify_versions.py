"""``manage.py verify_versions``: compares every version with its object and its hash."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from workflows import transfer
from workflows.models import WorkflowVersion


class Command(BaseCommand):
    """Ends with an error when one version is not what it was when it was published."""

    help = "Compare every published version with its object in storage and with its hash."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one line for each broken version."""
        broken = 0
        for version, reason in transfer.find_broken_versions():
            broken += 1
            self.stdout.write(f"{version.workflow_id} {version}: {reason}")
        if broken:
            raise CommandError(f"{broken} versions are not what they were.")
        self.stdout.write(f"{WorkflowVersion.objects.count()} versions are as they were.")
