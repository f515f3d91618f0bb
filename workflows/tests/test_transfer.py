from __future__ import annotations

import io
import json
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command

from workflows import drafts, publishing
from workflows.models import Workflow

pytestmark = pytest.mark.django_db


def _run(*arguments):
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_what_is_exported_is_imported_as_the_same_document(workflow, dev, tmp_path):
    version = publishing.publish(workflow, user=dev)
    text = _run("export_workflow", str(workflow.pk))
    file = tmp_path / "workflow.json"
    file.write_text(text)

    imported = _run("import_workflow", str(file), "--user", dev.email, "--publish")

    copy = Workflow.objects.get(pk=UUID(imported.strip()))
    assert text.removesuffix("\n") == version.document
    assert copy.live_version is not None
    assert copy.live_version.content_hash == version.content_hash


def test_the_draft_and_older_versions_can_be_exported(workflow, dev):
    first = publishing.publish(workflow, user=dev)
    drafts.apply(workflow, [{"op": "set_meta", "path": "/name", "value": "B"}], user=dev)
    publishing.publish(workflow, user=dev)
    drafts.apply(workflow, [{"op": "set_meta", "path": "/name", "value": "C"}], user=dev)
    identifier = str(workflow.pk)

    assert json.loads(_run("export_workflow", identifier))["name"] == "B"
    assert json.loads(_run("export_workflow", identifier, "--draft"))["name"] == "C"
    old = _run("export_workflow", identifier, "--version-num", "1")
    assert old.removesuffix("\n") == first.document


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "not JSON"),
        ('{"name": "A", "name": "B"}', "stands twice"),
        ('{"steps": []}', "/name: Give the workflow a name"),
    ],
)
def test_a_file_that_is_no_document_is_refused_with_a_sentence(
    project, tmp_path, content, sentence
):
    file = tmp_path / "workflow.json"
    file.write_text(content)

    with pytest.raises(CommandError, match=sentence):
        call_command("import_workflow", str(file))

    assert not Workflow.objects.exists()


def test_a_document_with_problems_is_not_half_imported(project, tmp_path):
    file = tmp_path / "workflow.json"
    file.write_text('{"name": "A", "steps": [{"action_key": "email_sent"}]}')

    with pytest.raises(CommandError, match="email_send"):
        call_command("import_workflow", str(file), "--publish")

    assert not Workflow.objects.exists()


def test_missing_things_are_named(project, tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_workflow", str(tmp_path / "none.json"))
    with pytest.raises(CommandError, match="There is no workflow"):
        call_command("export_workflow", str(uuid4()))


def test_versions_are_verified_against_their_objects(workflow, dev, objects_on_files):
    publishing.publish(workflow, user=dev)
    assert "1 versions are as they were" in _run("verify_versions")

    file = Path(objects_on_files, str(workflow.pk), "v1.json")
    file.write_bytes(file.read_bytes() + b" ")

    with pytest.raises(CommandError, match="1 versions are not"):
        call_command("verify_versions", stdout=io.StringIO())
