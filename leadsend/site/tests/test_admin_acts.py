"""What admin actions do: the same use cases, the same policy, the same audit entries."""

from __future__ import annotations

from html import unescape

import pytest
from django.urls import reverse

from leadsend.access.models import AuditEntry, Membership, Role, User
from leadsend.testing.factories import (
    make_bulk_job,
    make_event,
    make_execution,
    make_project,
    make_step,
    make_subscription,
    make_task,
    make_user,
    make_version,
)
from triggers.models import InboxEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def version():
    return make_version()


@pytest.fixture
def operator(client, version):
    user = make_user(project=version.project, role=Role.OPERATOR, is_staff=True)
    client.force_login(user)
    return user


def act(client, name, action, *rows, **fields):
    """Choose an action for rows; return the page that follows, as text."""
    address = reverse(f"admin:{name}_changelist")
    keys = [str(row.pk) for row in rows]
    answer = client.post(
        address, {"action": action, "_selected_action": keys, **fields}, follow=True
    )
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def acts(name):
    return list(AuditEntry.objects.filter(act=name).values_list("actor_label", "object_id"))


def test_cancel_ends_runs_and_is_audited(client, version, operator):
    run, other = make_execution(version=version), make_execution(version=version)

    text = act(client, "runtime_execution", "cancel", run, other)

    run.refresh_from_db()
    assert run.status == "CANCELLED"
    assert "Cancelled: 2." in text
    assert (operator.email, str(run.pk)) in acts("execution.cancel")


def test_what_a_use_case_refuses_is_said(client, version, operator):
    done, pending = (
        make_execution(version=version, status="SUCCESS"),
        make_execution(version=version),
    )

    text = act(client, "runtime_execution", "cancel", done, pending)

    assert "has ended already" in text
    assert "Cancelled: 1." in text


@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "retry"])
def test_a_viewer_cannot_act_on_runs(client, version, action):
    client.force_login(make_user(project=version.project, role=Role.VIEWER, is_staff=True))
    run = make_execution(version=version)

    text = act(client, "runtime_execution", action, run)

    run.refresh_from_db()
    assert run.status == "PENDING"
    assert "Your role in this project does not include" in text
    assert not AuditEntry.objects.filter(act__startswith="execution.").exists()


def test_foreign_runs_cannot_be_chosen(client, version, operator):
    foreign = make_execution()

    act(client, "runtime_execution", "cancel", foreign)

    foreign.refresh_from_db()
    assert foreign.status == "PENDING"


def test_retry_starts_a_new_run(client, version, operator):
    failed = make_execution(version=version, status="FAILED")

    assert "Started again: 1." in act(client, "runtime_execution", "retry", failed)
    assert acts("execution.retry") == [(operator.email, str(failed.pk))]


def test_replay_offers_an_event_anew(client, version, operator):
    event = make_event(project=version.project)

    assert "Replayed: 1." in act(client, "triggers_triggerevent", "replay", event)
    assert InboxEntry.objects.get().replay == 1
    assert acts("event.replay") == [(operator.email, str(event.pk))]


def test_a_subscription_is_paused_by_publishers_only(client, version, operator):
    row = make_subscription(workflow=version.workflow)
    assert "does not include" in act(client, "triggers_subscription", "pause", row)
    publisher = make_user(project=version.project, role=Role.PUBLISHER, is_staff=True)
    client.force_login(publisher)

    act(client, "triggers_subscription", "pause", row)

    row.refresh_from_db()
    assert row.paused_at is not None
    assert acts("subscription.pause") == [(publisher.email, str(row.pk))]


def test_a_task_is_done(client, version, operator):
    task = make_task(project=version.project)

    act(client, "runtime_task", "complete", task)

    task.refresh_from_db()
    assert (task.status, task.completed_by) == ("DONE", operator)
    assert acts("task.complete") == [(operator.email, str(task.pk))]


def test_members_are_added_by_the_use_case(client):
    root = User.objects.create_superuser("root@example.com")
    client.force_login(root)
    project, user = make_project(), make_user()

    values = {"user": user.pk, "project": project.pk, "role": "builder"}
    answer = client.post(reverse("admin:access_membership_add"), values)

    assert answer.status_code == 302
    row = Membership.objects.get(user=user, project=project)
    assert acts("member.add") == [(root.email, str(row.pk))]


def test_the_last_admin_of_a_project_stays(client):
    client.force_login(User.objects.create_superuser("root@example.com"))
    project = make_project()
    row = Membership.objects.get(user=make_user(project=project, role=Role.ADMIN))
    address = reverse("admin:access_membership_change", args=[row.pk])

    answer = client.post(address, {"role": "viewer"}, follow=True)

    row.refresh_from_db()
    assert row.role == Role.ADMIN
    assert "A project needs an admin" in unescape(answer.content.decode())


def test_what_is_written_by_hand_is_audited(client):
    root = User.objects.create_superuser("root@example.com")
    client.force_login(root)
    project = make_project()

    values = {"name": "Renamed", "slug": project.slug, "timezone": "UTC"}
    client.post(reverse("admin:access_project_change", args=[project.pk]), values)

    project.refresh_from_db()
    assert project.name == "Renamed"
    assert acts("project.change") == [(root.email, str(project.pk))]


def test_a_decision_about_an_uncertain_step_needs_a_reason(client, version, operator):
    row = make_step(make_execution(version=version, status="WAITING"), status="UNCERTAIN")

    refused = act(client, "runtime_stepexecution", "run_again", row)
    done = act(client, "runtime_stepexecution", "run_again", row, reason="The customer says so.")

    assert "Say what you found out" in refused
    assert "Decided: 1." in done
    row.refresh_from_db()
    assert (row.status, row.again) == ("FAILED", 1)
    entry = AuditEntry.objects.get(act="step.decide")
    assert entry.detail["reason"] == "The customer says so."


def test_lists_are_narrowed_to_what_is_to_do(client, version, operator):
    failed = make_execution(version=version, status="FAILED")
    unsure = make_execution(version=version, status="WAITING")
    make_step(unsure, status="UNCERTAIN")
    address = reverse("admin:runtime_execution_changelist")

    letters = client.get(address, {"todo": "dead_letter"}).content.decode()
    undecided = client.get(address, {"todo": "uncertain"}).content.decode()

    assert str(failed.pk) in letters
    assert str(unsure.pk) not in letters
    assert str(unsure.pk) in undecided
    assert str(failed.pk) not in undecided


def test_a_bulk_job_is_stopped(client, version, operator):
    job = make_bulk_job(project=version.project, user=operator)

    assert "Stopped: 1." in act(client, "runtime_bulkjob", "stop", job)

    job.refresh_from_db()
    assert job.status == "CANCELLED"
