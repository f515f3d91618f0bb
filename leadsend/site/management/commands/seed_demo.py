"""Fills an installation with demo data."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from leadsend.site import demo


class Command(BaseCommand):
    """Prints ``NAME=value`` lines; running it again changes nothing and prints the same."""

    help = "Makes demo people, leads, a live workflow and runs; prints how to sign in."

    def handle(self, *_arguments: Any, **_options: Any) -> None:
        """Seed, and print what is needed to look at it."""
        for name, value in demo.seed().items():
            self.stdout.write(f"{name}={value}")
