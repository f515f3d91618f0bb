"""The one row that makes Celery beat pump. The schedules themselves are ours (schedules.py)."""

from __future__ import annotations

from django.apps import apps as installed
from django.apps.registry import Apps

PUMP_ROW = "LeadSend: pump"
PUMP_JOB = "triggers.pump"
# A message that nobody took in this time is worth nothing: newer ones say the same.
_EXPIRES_S = 5


def ensure_beat_rows(apps: Apps = installed) -> None:
    """Make or repair beat's row: the pump job, once a second. Safe to call at any time.

    Called by a migration (which hands in its own ``apps``), and by whoever finds the row missing.
    """
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=1, period="seconds"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.update_or_create(
        name=PUMP_ROW,
        defaults={
            "task": PUMP_JOB,
            "interval": interval,
            "enabled": True,
            "expire_seconds": _EXPIRES_S,
            "description": "Fires due schedules and collects table changes. Workers do the same.",
        },
    )
