"""Engine processes, and what they hold in memory only."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from leadsend.lib import ids


class ExecutionBatch(models.Model):
    """Executions that began in a process's memory and have no rows yet (``runtime/batches.py``).

    The arrays go together; ``target_numbers`` are places in ``targets``, a list of ``[project,
    workflow, version, subscription, trigger key, trigger type, time limit in seconds]``.
    """

    id = models.UUIDField(primary_key=True)
    worker_id = models.UUIDField()
    lease_until = models.DateTimeField()
    claimed_at = models.DateTimeField()
    targets = models.JSONField()
    execution_ids = ArrayField(models.UUIDField())
    event_ids = ArrayField(models.UUIDField())
    target_numbers = ArrayField(models.IntegerField())
    business_keys = ArrayField(models.TextField())
    replays = ArrayField(models.IntegerField())
    received_at = ArrayField(models.DateTimeField())

    class Meta:
        db_table = "execution_batch"
        verbose_name_plural = "execution batches"

    def __str__(self) -> str:
        return str(self.id)


class Worker(models.Model):
    """An engine process that is, or was, at work."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    host = models.CharField(max_length=200)
    pid = models.IntegerField()
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "worker"
        indexes = [models.Index(fields=["seen_at"], name="worker_seen")]

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"
