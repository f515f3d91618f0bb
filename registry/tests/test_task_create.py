from __future__ import annotations

import pytest

from leadsend.lib.errors import ConfigurationError, PermanentError
from registry.actions.task_create import TASK_CREATE
from registry.sdk.action import Apply, Contact
from registry.sdk.faking import FakeContext, run_action


def test_a_task_for_a_team_gets_a_title_with_the_contacts_name():
    apply = run_action(TASK_CREATE, {"assignee": "sales_team"})

    assert apply == Apply(
        act="task.create",
        arguments={
            "title": "Follow up with Ada Byron",
            "description": "",
            "assignee": "sales_team",
            "due_at": None,
            "priority": "normal",
        },
    )


def test_without_a_name_the_title_stays_plain():
    apply = run_action(TASK_CREATE, {}, FakeContext(contact=Contact()))

    assert apply.arguments["title"] == "Follow up"


@pytest.mark.parametrize(
    ("due", "moment"),
    [
        ({"value": 2, "unit": "days"}, "2026-03-04T09:00:00+00:00"),
        ({"value": 1.5, "unit": "hours"}, "2026-03-02T10:30:00+00:00"),
        ("2026-05-01", "2026-05-01T23:59:00+00:00"),
        ("2026-05-01T10:00:00+02:00", "2026-05-01T10:00:00+02:00"),
        ("2026-05-01T10:00:00", "2026-05-01T10:00:00+00:00"),
        (None, None),
        ("", None),
    ],
)
def test_due_is_a_span_or_a_date(due, moment):
    assert run_action(TASK_CREATE, {"due": due}).arguments["due_at"] == moment


@pytest.mark.parametrize(
    "due", ["soon", {"value": "x", "unit": "days"}, {"value": 1}, {"value": 1e12, "unit": "weeks"}]
)
def test_a_due_that_is_no_time_is_refused(due):
    with pytest.raises(PermanentError):
        run_action(TASK_CREATE, {"due": due})


@pytest.mark.parametrize(
    ("inputs", "act", "arguments"),
    [
        (
            {"operation": "update", "task_id": "7", "priority": "high"},
            "task.update",
            {"task_id": "7", "changes": {"priority": "high"}},
        ),
        (
            {"operation": "complete", "task_id": "7", "answer": "won"},
            "task.complete",
            {"task_id": "7", "answer": "won"},
        ),
        (
            {"operation": "reassign", "task_id": "7", "assignee": "ben@x.com"},
            "task.reassign",
            {"task_id": "7", "assignee": "ben@x.com"},
        ),
    ],
)
def test_a_task_can_be_changed_later(inputs, act, arguments):
    assert run_action(TASK_CREATE, inputs) == Apply(act=act, arguments=arguments)


@pytest.mark.parametrize(
    "inputs",
    [{"operation": "update"}, {"operation": "reassign", "task_id": "7"}, {"operation": "destroy"}],
)
def test_a_change_says_what_it_lacks(inputs):
    with pytest.raises(ConfigurationError):
        run_action(TASK_CREATE, inputs)
