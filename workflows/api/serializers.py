"""What the API takes and gives, for reading input and for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from leadsend.lib.api import StrictSerializer

AnyJSON = serializers.JSONField


class ProblemSerializer(serializers.Serializer[Any]):
    """One finding of validation."""

    step_id = serializers.CharField(allow_null=True)
    path = serializers.CharField(help_text="JSON pointer into the document.")
    code = serializers.CharField()
    message = serializers.CharField()
    severity = serializers.ChoiceField(choices=["error", "warning"])


class LiveVersionSerializer(serializers.Serializer[Any]):
    """Which version is live."""

    id = serializers.UUIDField()
    version_num = serializers.IntegerField()
    published_at = serializers.DateTimeField()


class WorkflowSerializer(serializers.Serializer[Any]):
    """A workflow as lists show it."""

    id = serializers.UUIDField()
    project_id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    category = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    slug = serializers.CharField()
    is_active = serializers.BooleanField()
    owner_id = serializers.UUIDField(allow_null=True)
    revision = serializers.IntegerField()
    live_version = LiveVersionSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class DraftSerializer(serializers.Serializer[Any]):
    """A draft, and what is wrong with it."""

    revision = serializers.IntegerField()
    document = AnyJSON(help_text="The canonical document in full form.")
    problems = ProblemSerializer(many=True)


class ChangedDraftSerializer(DraftSerializer):
    """A draft after a change, with the operations that undo it."""

    undo = serializers.ListField(child=AnyJSON())


class WorkflowDetailSerializer(WorkflowSerializer):
    """A workflow with its draft; after publishing, with the addresses of its webhooks and forms."""

    document = AnyJSON(help_text="The canonical document in full form.")
    problems = ProblemSerializer(many=True)
    webhook_endpoints = serializers.ListField(child=AnyJSON(), required=False)
    forms = serializers.ListField(child=AnyJSON(), required=False)


class NewWorkflowSerializer(serializers.Serializer[Any]):
    """The canonical document or the shorthand, with what is not part of it."""

    name = serializers.CharField(max_length=200)
    description = serializers.CharField(required=False, allow_blank=True)
    category = serializers.CharField(required=False, allow_blank=True, max_length=80)
    tags = serializers.ListField(child=serializers.CharField(), required=False)
    settings = AnyJSON(required=False)
    variables = AnyJSON(required=False)
    triggers = AnyJSON(required=False, help_text="Objects, or keys like lead_sources_db_change.")
    steps = AnyJSON(required=False, help_text="Without ids or edges: a chain.")
    edges = AnyJSON(required=False)
    publish = serializers.BooleanField(required=False, default=False)
    is_active = serializers.BooleanField(required=False, default=True)
    project = serializers.CharField(required=False, help_text="Id or slug; needed with several.")


class WorkflowChangeSerializer(StrictSerializer):
    """What can be changed of a workflow directly; everything else is in its draft."""

    name = serializers.CharField(required=False, max_length=200)
    description = serializers.CharField(required=False, allow_blank=True)
    category = serializers.CharField(required=False, allow_blank=True, max_length=80)
    tags = serializers.ListField(child=serializers.CharField(max_length=80), required=False)
    is_active = serializers.BooleanField(required=False)


class DraftReplacementSerializer(StrictSerializer):
    """Another document in the place of the draft."""

    document = AnyJSON()
    revision = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)


class DraftChangeSerializer(StrictSerializer):
    """Operations, and the revision that they were made on."""

    operations = serializers.ListField(child=AnyJSON(), allow_empty=False, max_length=1000)
    revision = serializers.IntegerField(min_value=1, max_value=2**31 - 1)


class NoteSerializer(StrictSerializer):
    """What and why."""

    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)


class ValidationSerializer(StrictSerializer):
    """A document to look at instead of the draft; nothing is saved."""

    document = AnyJSON(required=False)


class FoundSerializer(serializers.Serializer[Any]):
    """The problems found."""

    problems = ProblemSerializer(many=True)


class VersionSerializer(serializers.Serializer[Any]):
    """A version; ``published_at`` is empty while it is open."""

    id = serializers.UUIDField()
    workflow_id = serializers.UUIDField()
    version_num = serializers.IntegerField()
    s3_key = serializers.CharField()
    content_hash = serializers.CharField(allow_null=True)
    note = serializers.CharField(allow_blank=True)
    published_by_id = serializers.UUIDField(allow_null=True)
    published_at = serializers.DateTimeField(allow_null=True)


class VersionDetailSerializer(VersionSerializer):
    """A version with its document."""

    document = AnyJSON()


class DifferenceSerializer(serializers.Serializer[Any]):
    """What changed between two versions, in sentences, and both documents."""

    changes = serializers.ListField(child=serializers.CharField())
    before = AnyJSON()
    after = AnyJSON()


class NewVersionSerializer(StrictSerializer):
    """Which workflow's next version is opened."""

    workflow_id = serializers.UUIDField()
    version_num = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    s3_key = serializers.CharField(required=False, max_length=300)


class StepSerializer(serializers.Serializer[Any]):
    """One step of a version; ``step_id`` is its id in the document."""

    id = serializers.UUIDField()
    version_id = serializers.UUIDField()
    step_id = serializers.CharField()
    position = serializers.IntegerField()
    kind = serializers.CharField()
    action_key = serializers.CharField(allow_blank=True)
    title = serializers.CharField(allow_blank=True)
    cfg = AnyJSON()
    parent_id = serializers.UUIDField(allow_null=True)
    extra = AnyJSON(help_text="Retry, time limit, join, note.")


class StepFieldsSerializer(StrictSerializer):
    """The fields of a step that can be set."""

    kind = serializers.CharField(required=False, max_length=16)
    action_key = serializers.CharField(required=False, allow_blank=True, max_length=80)
    title = serializers.CharField(required=False, allow_blank=True, max_length=200)
    note = serializers.CharField(required=False, allow_blank=True)
    cfg = AnyJSON(required=False)
    join = AnyJSON(required=False)
    retry = AnyJSON(required=False)
    timeout_s = serializers.FloatField(required=False)


class NewStepSerializer(StepFieldsSerializer):
    """A step of an open version."""

    version_id = serializers.UUIDField()
    step_id = serializers.CharField(required=False, max_length=63)
    kind = serializers.CharField(max_length=16)


class EdgeSerializer(serializers.Serializer[Any]):
    """One edge of a version."""

    id = serializers.UUIDField()
    version_id = serializers.UUIDField()
    from_step_id = serializers.UUIDField()
    to_step_id = serializers.UUIDField()
    branch_key = serializers.CharField()


class NewEdgeSerializer(StrictSerializer):
    """A link between two steps of an open version."""

    from_step_id = serializers.UUIDField()
    to_step_id = serializers.UUIDField()
    branch_key = serializers.CharField(required=False, default="default", max_length=80)
    version_id = serializers.UUIDField(required=False)


class VariableSerializer(serializers.Serializer[Any]):
    """A variable; the value of a secret one is never shown."""

    id = serializers.UUIDField()
    workflow_id = serializers.UUIDField()
    key = serializers.CharField()
    type = serializers.CharField()
    value = AnyJSON(allow_null=True)
    is_secret = serializers.BooleanField()
    has_value = serializers.BooleanField()
    updated_at = serializers.DateTimeField()


class VariableFieldsSerializer(StrictSerializer):
    """The fields of a variable that can be set."""

    type = serializers.CharField(required=False, max_length=16)
    value = AnyJSON(required=False, allow_null=True)
    is_secret = serializers.BooleanField(required=False)


class NewVariableSerializer(VariableFieldsSerializer):
    """A variable of a workflow."""

    workflow_id = serializers.UUIDField()
    key = serializers.CharField(max_length=63)
