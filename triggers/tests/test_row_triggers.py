"""Names of tables, and what one trigger records for several watches."""

from __future__ import annotations

import pytest

from leadsend.lib.errors import InvalidInput
from triggers.row_triggers import TableName, Watch, table_name


@pytest.mark.parametrize(
    ("text", "schema", "table"),
    [
        ("leads", "public", "leads"),
        ("crm.leads", "crm", "leads"),
        ('"My Schema"."Odd.Table"', "My Schema", "Odd.Table"),
        ('"with ""quotes"""', "public", 'with "quotes"'),
        ("Leads", "public", "Leads"),
    ],
)
def test_names_are_read(text, schema, table):
    assert table_name(text) == TableName(schema=schema, table=table)


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a.b.c", 'a"b', '"a', "a b", "x" * 64])
def test_what_names_no_table_is_refused(text):
    with pytest.raises(InvalidInput):
        table_name(text)


def test_one_trigger_serves_all_watches_of_a_table():
    name = table_name("leads")
    watch = Watch.union(name, [("id", ["insert"], ["name"]), ("id", ["update"], ["email"])])

    assert watch.operations == {"insert", "update"}
    assert set(watch.columns or ()) == {"id", "name", "email"}


def test_a_watch_without_columns_needs_them_all():
    watch = Watch.union(table_name("t"), [("id", ["insert"], ["name"]), ("id", ["insert"], None)])

    assert watch.columns is None
