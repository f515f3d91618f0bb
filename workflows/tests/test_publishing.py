from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from django.db import connection, transaction

from leadsend.access.models import AuditEntry
from leadsend.lib.errors import Conflict, InvalidInput, NotFound, Unavailable
from workflows import drafts, publishing, version_storage
from workflows.definition import canonical
from workflows.models import Workflow, WorkflowEdge, WorkflowStep, WorkflowVersion
from workflows.signals import workflow_published, workflow_retired

pytestmark = pytest.mark.django_db

RENAME = {"op": "set_meta", "path": "/name", "value": "Pipeline 2"}
SECRET = "canary-7f3a91"


@pytest.fixture(params=["files", "s3"])
def storage(request):
    """Run a test on files, and on the S3 server of moto with real boto3."""
    if request.param == "s3":
        request.getfixturevalue("objects_on_s3")
    return request.param


@pytest.fixture
def heard():
    """Collect the signals that are sent."""
    calls: list[tuple[object, ...]] = []

    def published(workflow, version, **_):
        calls.append(("published", workflow.pk, version.version_num))
        return {"webhook_endpoints": ["x"]}

    def retired(workflow, **_):
        calls.append(("retired", workflow.pk))

    workflow_published.connect(published)
    workflow_retired.connect(retired)
    yield calls
    workflow_published.disconnect(published)
    workflow_retired.disconnect(retired)


def _view(workflow):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, version_num, definition::text FROM workflow_latest_json"
            " WHERE workflow_id = %s",
            [workflow.pk],
        )
        return cursor.fetchone()


def test_document_object_and_view_are_the_same_bytes(workflow, dev, storage):
    version = publishing.publish(workflow, user=dev, note="first")

    data = version.document.encode()
    assert version_storage.read(workflow.pk, 1) == data
    assert _view(workflow) == (workflow.name, 1, version.document)
    assert canonical.hash_of(data) == version.content_hash
    assert canonical.dump(canonical.load(data)) == data
    assert version.s3_key == f"s3://workflows/{workflow.pk}/v1.json"
    assert workflow.live_version == version


def test_on_files_the_object_is_a_file(workflow, dev, objects_on_files):
    version = publishing.publish(workflow, user=dev)

    file = Path(objects_on_files, str(workflow.pk), "v1.json")
    assert file.read_bytes() == version.document.encode()


def test_steps_and_edges_are_projected_under_computed_ids(workflow, dev):
    version = publishing.publish(workflow, user=dev)

    steps = WorkflowStep.objects.order_by("position")
    assert [(step.slug, step.kind, step.action_key) for step in steps] == [
        ("email_send", "action", "email_send"),
        ("task_create", "action", "task_create"),
    ]
    assert steps[0].pk == publishing.step_row_id(version.pk, "email_send")
    edge = WorkflowEdge.objects.get()
    assert (edge.from_step_id, edge.to_step_id) == (steps[0].pk, steps[1].pk)


def test_publish_is_refused_while_a_step_has_problems(workflow, dev, heard):
    drafts.apply(
        workflow,
        [{"op": "set", "step": "email_send", "path": "/action_key", "value": "email_sent"}],
        user=dev,
    )

    with pytest.raises(InvalidInput) as refusal:
        publishing.publish(workflow, user=dev)

    assert refusal.value.code == "has_problems"
    assert refusal.value.problems[0].path == "/steps/0/action_key"
    assert not WorkflowVersion.objects.exists()
    assert heard == []


def test_versions_are_numbered_and_the_same_draft_is_not_published_twice(workflow, dev):
    publishing.publish(workflow, user=dev)

    with pytest.raises(Conflict, match="nothing to publish"):
        publishing.publish(workflow, user=dev)

    drafts.apply(workflow, [RENAME], user=dev)
    assert publishing.publish(workflow, user=dev).version_num == 2


def test_rolling_back_is_a_new_version_with_the_old_hash(workflow, dev, storage):
    first = publishing.publish(workflow, user=dev)
    drafts.apply(workflow, [RENAME], user=dev)
    publishing.publish(workflow, user=dev)
    draft = workflow.draft

    third = publishing.rollback(workflow, 1, user=dev)

    assert third.version_num == 3
    assert third.content_hash == first.content_hash
    assert workflow.live_version == third
    assert workflow.draft == draft
    assert version_storage.read(workflow.pk, 3) == first.document.encode()


def test_rolling_back_to_nothing_or_to_the_same_is_refused(workflow, dev):
    publishing.publish(workflow, user=dev)

    with pytest.raises(NotFound):
        publishing.rollback(workflow, 7, user=dev)
    with pytest.raises(Conflict, match="live already"):
        publishing.rollback(workflow, 1, user=dev)


def test_a_receiver_that_fails_rolls_the_publish_back(workflow, dev):
    def fail(**_):
        raise Unavailable("The schedule cannot be set up.")

    workflow_published.connect(fail)
    try:
        with pytest.raises(Unavailable), transaction.atomic():
            publishing.publish(workflow, user=dev)
    finally:
        workflow_published.disconnect(fail)

    workflow.refresh_from_db()
    assert workflow.live_version is None
    assert not WorkflowVersion.objects.exists()
    # What the storage has kept of it does no harm: the next publish writes over it.
    assert publishing.publish(workflow, user=dev).version_num == 1


def test_the_signal_is_sent_inside_the_transaction_and_answers(workflow, dev, heard):
    version = publishing.publish(workflow, user=dev)

    assert heard == [("published", workflow.pk, 1)]
    assert version.answers == {"webhook_endpoints": ["x"]}


def test_while_files_cannot_be_written_nothing_is_published(workflow, dev, objects_on_files):
    shutil.rmtree(objects_on_files, ignore_errors=True)
    objects_on_files.write_text("a file where the folder should be")

    with pytest.raises(Unavailable, match="object storage") as refusal, transaction.atomic():
        publishing.publish(workflow, user=dev)

    assert refusal.value.http_status == 503
    _assert_nothing_published(workflow)


def test_while_s3_is_away_nothing_is_published(workflow, dev, s3_away):
    with pytest.raises(Unavailable, match="S3_ENDPOINT_URL"), transaction.atomic():
        publishing.publish(workflow, user=dev)

    _assert_nothing_published(workflow)


def test_a_missing_bucket_is_told(workflow, dev, objects_on_s3):
    objects_on_s3.delete_bucket(Bucket="workflows")

    with pytest.raises(Unavailable, match="NoSuchBucket"), transaction.atomic():
        publishing.publish(workflow, user=dev)

    _assert_nothing_published(workflow)


def test_an_object_that_was_never_written_is_not_found(workflow, storage):
    with pytest.raises(NotFound):
        version_storage.read(workflow.pk, 9)


def test_what_decides_what_is_live_is_audited(workflow, dev):
    version = publishing.publish(workflow, user=dev, note="first")
    publishing.retire(workflow, user=dev)
    publishing.revive(workflow, user=dev)
    publishing.move_to_bin(workflow, user=dev)

    entries = AuditEntry.objects.filter(object_id=str(workflow.pk)).order_by("number")
    assert [entry.act for entry in entries] == [
        "workflow.publish", "workflow.retire", "workflow.revive", "workflow.retire",
        "workflow.delete",
    ]  # fmt: skip
    assert {entry.actor for entry in entries} == {dev}
    assert entries[0].detail["content_hash"] == version.content_hash


def test_retiring_and_reviving_are_announced_once(workflow, dev, heard):
    publishing.publish(workflow, user=dev)

    publishing.retire(workflow)
    publishing.retire(workflow)
    assert not workflow.is_active
    publishing.revive(workflow)
    publishing.revive(workflow)

    assert workflow.is_active
    published = ("published", workflow.pk, 1)
    assert heard == [published, ("retired", workflow.pk), published]


def test_a_workflow_in_the_bin_is_retired_and_leaves_the_view(workflow, dev, heard):
    publishing.publish(workflow, user=dev)

    publishing.move_to_bin(workflow)

    assert heard[-1] == ("retired", workflow.pk)
    assert _view(workflow) is None
    assert WorkflowVersion.objects.count() == 1


def test_before_publishing_the_view_shows_the_draft(workflow):
    assert _view(workflow) == (workflow.name, None, workflow.draft)


def test_publishing_if_active_does_nothing_twice_or_while_switched_off(workflow, dev):
    assert publishing.publish_if_active(workflow, dev) == workflow.live_version
    assert publishing.publish_if_active(workflow, dev) is None

    publishing.retire(workflow)
    drafts.apply(workflow, [RENAME], user=dev)
    assert publishing.publish_if_active(workflow, dev) is None


def test_a_reserved_id_becomes_that_of_the_version(workflow, dev):
    reserved = drafts.reserve_version(workflow)

    assert drafts.reserve_version(workflow) == reserved
    assert publishing.publish(workflow, user=dev).pk == reserved
    assert drafts.reserve_version(workflow) != reserved


def test_secrets_are_in_no_version_object_or_view(project, dev, overview, objects_on_files):
    variable = {"key": "api_key", "secret": True, "value": SECRET}
    workflow = drafts.create_workflow(project, dev, overview | {"variables": [variable]})

    version = publishing.publish(workflow, user=dev)

    stored = "".join(file.read_text() for file in Path(objects_on_files).rglob("*.json"))
    assert SECRET not in version.document + stored + str(_view(workflow))
    assert json.loads(version.document)["variables"] == [{"key": "api_key", "secret": True}]


def test_a_secret_without_a_value_cannot_be_published(project, dev, overview):
    variable = {"key": "api_key", "secret": True}
    workflow = drafts.create_workflow(project, dev, overview | {"variables": [variable]})

    with pytest.raises(InvalidInput) as refusal:
        publishing.publish(workflow, user=dev)

    assert refusal.value.problems[0].code == "secret_missing"
    assert refusal.value.problems[0].path == "/variables/0/value"


def _assert_nothing_published(workflow):
    row = Workflow.objects.get(pk=workflow.pk)
    assert row.live_version is None
    assert not WorkflowVersion.objects.exists()
    assert not WorkflowStep.objects.exists()
