from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

pytestmark = pytest.mark.django_db


def prepare():
    said = StringIO()
    call_command("prepare_broker", stdout=said)
    return said.getvalue()


def has_queues():
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regprocedure('pgmq.create(text)') IS NOT NULL")
        return cursor.fetchone()[0]


def test_with_redis_nothing_is_set_up(settings):
    settings.BROKER = "redis"

    assert "nothing to prepare" in prepare()
    assert not has_queues()


def test_queues_in_postgresql_are_set_up_once(settings):
    settings.BROKER = "postgres"

    assert "are set up" in prepare()
    assert has_queues()
    assert "are there" in prepare()
