"""Migrations, queues and registry seeding in one process. Run by the virtual environment's Python.

The one module here that imports Django: commands of manage.py would each load it again.
"""

from __future__ import annotations

import os

import django
from django.core.management import call_command

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "leadsend.settings")
    django.setup()
    call_command("migrate", interactive=False)
    call_command("prepare_broker")
    call_command("seed_registry")
