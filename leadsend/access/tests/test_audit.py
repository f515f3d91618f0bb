"""The audit log only grows, and tells when somebody tampered with it."""

from __future__ import annotations

import threading

import pytest
from django.db import DatabaseError, connection, transaction

from leadsend.access import audit
from leadsend.access.models import AuditEntry
from leadsend.testing.factories import make_project, make_user

pytestmark = pytest.mark.django_db


def test_entries_are_numbered_and_chained():
    first, second = _entries(2)

    assert second.number == first.number + 1
    assert second.previous_hash == first.hash
    assert list(audit.broken_entries()) == []


def test_an_entry_says_who_did_what_where():
    project = make_project()
    user = make_user("ana@example.com")

    audit.record("project.rename", actor=user, project=project, obj=project, detail={"to": "X"})

    entry = AuditEntry.objects.latest("number")
    assert (entry.actor, entry.actor_label, entry.act) == (
        user,
        "ana@example.com",
        "project.rename",
    )
    assert (entry.object_type, entry.object_id) == ("access.project", str(project.pk))
    assert entry.detail == {"to": "X"}


def test_a_part_that_acts_by_itself_is_named():
    project = make_project()

    entry = audit.record("execution.give_up", actor="reaper", project=project, obj=project)

    assert (entry.actor, entry.actor_label) == (None, "reaper")


def test_secrets_are_taken_out_of_the_detail():
    project = make_project()

    entry = audit.record(
        "x.y", actor=None, project=project, obj=project, detail={"password": "p4ss"}
    )

    assert "p4ss" not in str(entry.detail)


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_entry SET act = 'x'", "DELETE FROM audit_entry"]
)
def test_the_database_refuses_to_change_entries(statement):
    _entries(1)

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_an_entry_changed_behind_our_back_is_found():
    _first, second, _third = _entries(3)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE audit_entry DISABLE TRIGGER audit_is_append_only")
        cursor.execute("UPDATE audit_entry SET act = 'forged' WHERE id = %s", [second.pk])
        cursor.execute("ALTER TABLE audit_entry ENABLE TRIGGER audit_is_append_only")

    assert [entry.pk for entry in audit.broken_entries()] == [second.pk]


def test_an_entry_taken_away_is_found():
    _first, second, third = _entries(3)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE audit_entry DISABLE TRIGGER audit_is_append_only")
        cursor.execute("DELETE FROM audit_entry WHERE id = %s", [second.pk])
        cursor.execute("ALTER TABLE audit_entry ENABLE TRIGGER audit_is_append_only")

    assert [entry.pk for entry in audit.broken_entries()] == [third.pk]


@pytest.mark.django_db(transaction=True)
def test_entries_written_at_the_same_time_keep_the_chain():
    project = make_project()

    def write():
        try:
            for _ in range(5):
                audit.record("project.look", actor="test", project=project, obj=project)
        finally:
            connection.close()

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=30)

    assert AuditEntry.objects.count() == 20
    assert list(audit.broken_entries()) == []


def _entries(number):
    project = make_project()
    return [
        audit.record("project.look", actor="test", project=project, obj=project)
        for _ in range(number)
    ]
