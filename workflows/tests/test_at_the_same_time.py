"""Two people at once: each act takes its lock, so one of them wins and the other is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from leadsend.lib.errors import Conflict
from workflows import creation, drafts, publishing
from workflows.models import Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = 4


def _together(act):
    """Let several threads act at once; return how often it worked and how often it conflicted."""
    start = Barrier(PEOPLE)

    def one(number):
        try:
            start.wait(timeout=10)
            act(number)
        except Conflict:
            return "conflict"
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(PEOPLE) as pool:
        return sorted(pool.map(one, range(PEOPLE)))


def test_of_several_changes_on_one_revision_one_is_kept(workflow):
    def rename(number):
        change = {"op": "set_meta", "path": "/name", "value": f"Name {number}"}
        drafts.apply(Workflow.objects.get(), [change], user=None, revision=1)

    assert _together(rename) == ["conflict"] * (PEOPLE - 1) + ["done"]
    assert Workflow.objects.get().revision == 2


def test_changes_without_a_revision_are_all_kept(workflow):
    def add(number):
        step = {"id": f"s{number}", "kind": "end"}
        drafts.apply(Workflow.objects.get(), [{"op": "add_step", "step": step}], user=None)

    assert _together(add) == ["done"] * PEOPLE
    assert len(drafts.document_of(Workflow.objects.get())["steps"]) == 2 + PEOPLE


def test_of_several_publishers_one_publishes(workflow):
    results = _together(lambda _: publishing.publish(Workflow.objects.get(), user=None))

    assert results == ["conflict"] * (PEOPLE - 1) + ["done"]
    assert [version.version_num for version in WorkflowVersion.objects.all()] == [1]


def test_opening_a_version_at_once_reserves_one_id(workflow):
    found = set()

    _together(lambda _: found.add(creation.open_version(Workflow.objects.get()).id))

    assert found == {Workflow.objects.get().open_version_id}


def test_workflows_of_one_name_all_get_a_slug(project, overview):
    assert _together(lambda _: drafts.create_workflow(project, None, overview)) == ["done"] * PEOPLE
    assert len(set(Workflow.objects.values_list("slug", flat=True))) == PEOPLE
