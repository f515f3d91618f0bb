"""Many writers and two drains at once: every committed change once, in the order of its row."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connection

from leadsend.lib import postgres
from triggers import db_changes
from triggers.models import InboxEntry, TableChange, TriggerEvent
from triggers.row_triggers import TableName
from triggers.tests.making import make_project, on_connections

WRITERS, CHANGES, KEYS = 8, 250, 30
NAME = TableName(schema="crm", table="counted")


@pytest.fixture
def counted():
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS crm CASCADE")
        cursor.execute("CREATE SCHEMA crm")
        cursor.execute("CREATE TABLE crm.counted (id int PRIMARY KEY, n int)")
        cursor.execute("INSERT INTO crm.counted SELECT k, 0 FROM generate_series(1, %s) k", [KEYS])
    db_changes.watch(make_project().pk, NAME, operations=["update"])
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA crm CASCADE")
        cursor.execute("DELETE FROM watched_table WHERE schema_name = 'crm'")


@pytest.mark.django_db(transaction=True)
def test_every_committed_change_is_told_once_and_in_order(counted):
    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [pool.submit(write, seed) for seed in range(WRITERS)]
        on_connections(*[lambda link: drain_until(link, writing)] * 2)
        committed: Counter[int] = sum((one.result() for one in writing), Counter())
    on_connections(drain_all)

    told = defaultdict(list)
    for event in TriggerEvent.objects.order_by("id"):
        told[event.data["key"]].append(event.data["new"]["n"])
    # Each change counts its row up by one: nothing is missing, doubled, out of order or undone.
    assert told == {key: list(range(1, count + 1)) for key, count in committed.items()}
    assert sum(committed.values()) == InboxEntry.objects.count()
    assert not TableChange.objects.exists()


def write(seed):
    """Change rows in transactions of other lengths, some rolled back; return changes by key."""
    chance, left = random.Random(seed), CHANGES  # noqa: S311 - no secret
    committed: Counter[int] = Counter()
    with postgres.connect("writer") as link:
        while left > 0:
            keys = sorted(chance.sample(range(1, KEYS + 1), min(left, chance.randint(1, 6))))
            with link.transaction() as open_one:
                for key in keys:
                    link.execute("UPDATE crm.counted SET n = n + 1 WHERE id = %s", [key])
                    link.execute("SELECT pg_sleep(%s)", [chance.random() * 0.004])
                if chance.random() < 0.1:
                    raise psycopg.Rollback(open_one)
                committed.update(keys)
            left -= len(keys)
    return committed


async def drain_until(link, writing):
    while not all(one.done() for one in writing):
        await db_changes.drain(link, limit=37)
        await link.execute("SELECT pg_sleep(0.001)")


async def drain_all(link):
    while await db_changes.drain(link, limit=100):
        pass
