"""What steps leave for people: to-dos and mails."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from leadsend.access.models import ProjectQuerySet, ProjectRow, Team, User
from leadsend.lib import clock
from runtime.models.executions import Execution
from workflows.models import Workflow


class TaskStatus(models.TextChoices):
    """States of a to-do."""

    PENDING = "PENDING", "Open"
    DONE = "DONE", "Done"
    CANCELLED = "CANCELLED", "Cancelled"


class TaskQuerySet(ProjectQuerySet):
    """Tasks as people look for them."""

    def open(self) -> Self:
        """Keep what is still to do."""
        return self.filter(status=TaskStatus.PENDING)

    def mine(self, user: User) -> Self:
        """Keep what is given to the user or to one of their teams."""
        return self.filter(Q(assignee=user) | Q(team__members=user)).distinct()


class Task(ProjectRow):
    """A to-do for a person or a team. ``effect_key`` makes its creation by a step unique."""

    title = models.CharField(max_length=300)
    description = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=TaskStatus.choices, default=TaskStatus.PENDING)
    priority = models.CharField(
        max_length=8,
        choices=[("low", "Low"), ("normal", "Normal"), ("high", "High")],
        default="normal",
    )
    assignee = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    team = models.ForeignKey(
        Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    due_at = models.DateTimeField(null=True, blank=True)
    overdue_told_at = models.DateTimeField(null=True, blank=True, editable=False)
    workflow = models.ForeignKey(
        Workflow, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    execution = models.ForeignKey(
        Execution,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
    )
    step_id = models.CharField(max_length=80, blank=True)
    business_key = models.CharField(max_length=300, blank=True)
    effect_key = models.UUIDField(null=True, blank=True, unique=True, editable=False)
    form = models.JSONField(
        null=True, blank=True, help_text='Of an approval: {"answers": […], "fields": […]}.'
    )
    answer = models.JSONField(null=True, blank=True)
    completed_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    completed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    objects: ClassVar = TaskQuerySet.as_manager()

    class Meta:
        db_table = "tasks"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=TaskStatus.values), name="task_status_known"
            )
        ]
        indexes = [
            models.Index(fields=["project", "status", "-id"], name="task_by_status"),
            models.Index(
                fields=["due_at"],
                condition=Q(status="PENDING", overdue_told_at__isnull=True),
                name="task_overdue",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class OutboxMail(ProjectRow):
    """A mail as it was sent or, in outbox mode, kept instead of sent. Its id is its effect key."""

    execution_id = models.UUIDField(null=True, blank=True)
    step_id = models.CharField(max_length=80, blank=True)
    mode = models.CharField(max_length=8, choices=[("outbox", "Kept"), ("smtp", "Sent")])
    message_id = models.CharField(max_length=254, unique=True)
    sender = models.CharField(max_length=254)
    to = models.TextField()
    subject = models.CharField(max_length=998)
    text = models.TextField()
    html = models.TextField(blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "outbox_mail"
        verbose_name = "mail"
        indexes = [models.Index(fields=["project", "-created_at"], name="mail_newest")]

    def __str__(self) -> str:
        return self.subject
