from __future__ import annotations

import pytest
from django.db import connection

from runtime.models import Execution

pytestmark = pytest.mark.django_db


def plan_of(rows):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
        sql, params = rows.order_by().query.sql_with_params()
        cursor.execute(f"EXPLAIN {sql}", params)
        return "\n".join(row[0] for row in cursor.fetchall())


def test_business_keys_are_found_by_index_whatever_their_case(make):
    run = make(business_key="Ada@Example.org")
    make(business_key="bob@example.org")
    mine = Execution.objects.filter(project=run.project_id)

    assert list(mine.about_prefix("ada@")) == [run]
    assert list(mine.about("Ada@Example.org")) == [run]
    assert not mine.about("ada@example.org").exists()
    assert "upper" in plan_of(mine.about("Ada@Example.org")).split("Index Cond", 1)[1][:200]


def test_many_runs_of_a_key_are_kept_without_being_looked_up(make, monkeypatch):
    monkeypatch.setattr("runtime.models.executions._FEW", 1)
    runs = {make(business_key=key) for key in ("ada@a", "ADA@b", "bob@a")}

    found = Execution.objects.about_prefix("ada@")

    assert set(found) == {run for run in runs if run.business_key[0] in "aA"}
    assert "LIKE" in str(found.query)
