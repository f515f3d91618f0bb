"""What is designed: workflows, their drafts, and their published versions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q

from leadsend.access.models import ProjectQuerySet, ProjectRow, User
from leadsend.lib import clock, ids


class StepKind(models.TextChoices):
    """The kinds of steps there are (architecture: the document)."""

    ACTION = "action"
    CONDITION = "condition"
    SWITCH = "switch"
    DELAY = "delay"
    WAIT = "wait"
    LOOP = "loop"
    APPROVAL = "approval"
    WORKFLOW = "workflow"
    CODE = "code"
    END = "end"


class WorkflowQuerySet(ProjectQuerySet):
    """Workflows as users meet them."""

    def not_deleted(self) -> Self:
        """Leave out what lies in the bin."""
        return self.filter(deleted_at__isnull=True)

    def with_live_version(self) -> Self:
        """Fetch the live version's row along."""
        return self.select_related("live_version")


class Workflow(ProjectRow):
    """A workflow: its name card, its editable draft, and which version is live.

    ``draft`` is the canonical document as text; ``revision`` counts its changes from 1.
    """

    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    category = models.CharField(max_length=80, blank=True)
    tags = models.JSONField(default=list, blank=True)
    slug = models.SlugField(max_length=120)
    is_active = models.BooleanField(default=True)
    owner = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    draft = models.TextField(help_text="The canonical document that is being edited.")
    revision = models.PositiveIntegerField(default=1)
    live_version = models.ForeignKey(
        "WorkflowVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    open_version_id = models.UUIDField(
        null=True,
        blank=True,
        unique=True,
        editable=False,
        help_text="The id that the next version will have, once it was opened by the API.",
    )
    deleted_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    objects: ClassVar = WorkflowQuerySet.as_manager()

    class Meta:
        db_table = "workflow_definition"
        verbose_name = "workflow"
        constraints = [
            models.UniqueConstraint(fields=["project", "slug"], name="workflow_slug_once"),
        ]
        indexes = [models.Index(fields=["project", "-id"], name="workflow_newest")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_live(self) -> bool:
        """Say whether events start executions of this workflow."""
        return self.is_active and self.live_version_id is not None and self.deleted_at is None


class DraftChange(ProjectRow):
    """One saved change of a draft: what it said, and what undoes it.

    ``revision`` is the one it made. ``undo`` holds operations (definition.operations), ``summary``
    sentences; neither ever holds the value of a secret variable.
    """

    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="changes")
    revision = models.PositiveIntegerField()
    undo = models.JSONField(default=list)
    summary = models.JSONField(default=list)
    user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "workflow_draft_change"
        verbose_name = "change of a draft"
        constraints = [
            models.UniqueConstraint(fields=["workflow", "revision"], name="draft_change_once")
        ]

    def __str__(self) -> str:
        return f"revision {self.revision}"


class WorkflowVersion(ProjectRow):
    """A frozen, numbered, published document; the database refuses UPDATE and DELETE.

    ``document`` is the canonical text (jsonb would reorder keys); ``content_hash`` its sha-256.
    """

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="versions")
    version_num = models.PositiveIntegerField()
    s3_key = models.CharField(max_length=300)
    document = models.TextField()
    content_hash = models.CharField(max_length=64)
    note = models.TextField(blank=True)
    published_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    published_at = models.DateTimeField(default=clock.now)

    # What receivers of workflow_published tell the publisher, such as the addresses of webhooks
    # with secrets that are shown once. Not stored; empty on rows that were read.
    answers: Mapping[str, Any] = MappingProxyType({})

    class Meta:
        db_table = "workflow_version"
        verbose_name = "version"
        constraints = [
            models.UniqueConstraint(
                fields=["workflow", "version_num"], name="workflow_version_once"
            ),
            models.CheckConstraint(condition=Q(version_num__gte=1), name="version_num_from_1"),
        ]
        indexes = [models.Index(fields=["content_hash"], name="version_by_hash")]

    def __str__(self) -> str:
        return f"v{self.version_num}"


class WorkflowStep(ProjectRow):
    """One step of a version: a projection of its document, written when it is published."""

    version = models.ForeignKey(WorkflowVersion, on_delete=models.PROTECT, related_name="steps")
    slug = models.CharField(max_length=80, help_text="The step's id in the document.")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=StepKind.choices)
    action_key = models.CharField(max_length=80, blank=True)
    title = models.CharField(max_length=200, blank=True)
    cfg = models.JSONField(default=dict)
    extra = models.JSONField(default=dict, help_text="Retry, time limit, join.")
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )

    class Meta:
        db_table = "workflow_step"
        verbose_name = "step"
        ordering = ["version", "position"]
        constraints = [
            models.UniqueConstraint(fields=["version", "slug"], name="step_slug_once"),
            models.CheckConstraint(
                condition=Q(kind__in=StepKind.values), name="workflow_step_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.slug


class WorkflowEdge(ProjectRow):
    """One edge of a version: a projection of its document, written when it is published."""

    version = models.ForeignKey(WorkflowVersion, on_delete=models.PROTECT, related_name="edges")
    from_step = models.ForeignKey(WorkflowStep, on_delete=models.PROTECT, related_name="+")
    to_step = models.ForeignKey(WorkflowStep, on_delete=models.PROTECT, related_name="+")
    branch_key = models.CharField(max_length=80, default="default")
    position = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "workflow_edge"
        verbose_name = "edge"
        ordering = ["version", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "from_step", "to_step", "branch_key"], name="edge_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.from_step_id} → {self.to_step_id} ({self.branch_key})"


class WorkflowVariable(ProjectRow):
    """A named value of a workflow. A secret one is sealed here and appears in no document."""

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="variables")
    key = models.CharField(max_length=80)
    type = models.CharField(max_length=16, default="text")
    value = models.JSONField(null=True, blank=True)
    is_secret = models.BooleanField(default=False)
    sealed = models.TextField(blank=True, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "workflow_variable"
        verbose_name = "variable"
        constraints = [
            models.UniqueConstraint(fields=["workflow", "key"], name="variable_key_once"),
            models.CheckConstraint(
                condition=Q(is_secret=False) | Q(value__isnull=True),
                name="secret_variable_has_no_open_value",
            ),
        ]

    def __str__(self) -> str:
        return self.key


class WorkflowTemplate(models.Model):
    """A ready workflow to start from, mirrored from the starters in the code."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    category = models.CharField(max_length=80, blank=True)
    document = models.TextField()
    questions = models.JSONField(default=list)
    is_enabled = models.BooleanField(default=True)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "workflow_template"
        verbose_name = "template"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
