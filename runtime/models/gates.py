"""What keeps effects from beginning: limits of calls, and circuits."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from leadsend.access.models import Project, ProjectQuerySet


class RateLimit(models.Model):
    """How often a host or a credential may be called, by all engines together.

    ``key`` is ``host:<name>`` or ``credential:<id>``. ``tokens`` are left as of ``refilled_at``.
    """

    key = models.CharField(max_length=300, primary_key=True)
    amount = models.PositiveIntegerField(help_text="Calls in one period; as many may come at once.")
    period_s = models.FloatField(default=1.0, help_text="Seconds.")
    tokens = models.FloatField(db_default=0, editable=False)
    refilled_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "rate_limit"
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gte=1, period_s__gt=0), name="rate_limit_positive"
            )
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.amount} in {self.period_s:g} s"


class Circuit(models.Model):
    """Failures in a row of a host or credential in one project; gone with the first success.

    From the twentieth on nothing is sent there until ``open_until``; then one effect tries.
    """

    key = models.CharField(max_length=300, primary_key=True)
    project = models.ForeignKey(
        Project, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    name = models.CharField(max_length=300)
    failures = models.IntegerField()
    failed_at = models.DateTimeField()
    open_until = models.DateTimeField(null=True, blank=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        db_table = "circuit"

    def __str__(self) -> str:
        return f"{self.name} ({self.failures} failures)"
