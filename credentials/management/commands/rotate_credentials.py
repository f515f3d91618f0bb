"""``manage.py rotate_credentials``: seals stored secrets anew after a new key came first."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from credentials.rotating import rotate_all


class Command(BaseCommand):
    """Seals every stored secret under the first of FERNET_KEYS."""

    help = (
        "Seals every stored secret anew under the first key of FERNET_KEYS. "
        "When it ends without complaint, the other keys can be removed."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate, say what was done, and exit with 1 when something could not be opened."""
        done = rotate_all()
        for rotation in done:
            self.stdout.write(f"{rotation.column}: {rotation.resealed} sealed anew")
        lost = [rotation for rotation in done if rotation.unreadable]
        if lost:
            raise CommandError(
                "Not opened, keep the old keys: "
                + ", ".join(f"{rotation.column} {rotation.unreadable}" for rotation in lost)
            )
