"""``manage.py prepare_broker``: sets up the message queues where PostgreSQL is the broker."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection, transaction

# Any number that nothing else uses as an advisory lock: "broker" in ASCII.
_LOCK = 0x62726F6B6572


class Command(BaseCommand):
    """Safe to run at every start; does nothing with Redis, or where the queues are there."""

    help = "Sets up the queues in PostgreSQL when LEADSEND_BROKER=postgres."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the SQL that comes with pgmq, unless its schema is there."""
        if settings.BROKER != "postgres":
            self.stdout.write("The broker is Redis: there is nothing to prepare.")
            return
        # An optional package, by name: with Redis nobody needs it.
        sql = import_module("pgmq.install").get_embedded_install_sql()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            cursor.execute("SELECT to_regnamespace('pgmq') IS NULL")
            if cursor.fetchone()[0]:
                cursor.execute(sql)
                self.stdout.write(self.style.SUCCESS("The queues are set up."))
            else:
                self.stdout.write("The queues are there.")
