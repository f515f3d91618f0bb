"""Says of every part of the installation that it is well, or what to do."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from leadsend.site.doctor import examine


class Command(BaseCommand):
    """One line a part; exit code 1 when something is to be done."""

    help = "Looks at keys, storage, database, broker, clock, schedules and watched tables."
    # A missing table has to become a finding, not a traceback of the checks.
    requires_system_checks = ()

    def handle(self, *_arguments: Any, **_options: Any) -> None:
        """Print the findings."""
        is_well = True
        for finding in examine():
            is_well = is_well and finding.is_ok
            mark = self.style.SUCCESS("OK   ") if finding.is_ok else self.style.ERROR("TO DO")
            self.stdout.write(f"{mark} {finding.part}: {finding.message}")
        if not is_well:
            sys.exit(1)
