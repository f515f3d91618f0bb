"""Beat's rows: the one that makes it pump, and mirrors of our schedules for who looks there.

The schedules themselves are ours (schedules.py). Their mirrors are switched off, so beat sends
nothing for them; each says so, and whether the schedule is on.
"""

from __future__ import annotations

from django.apps import apps as installed
from django.apps.registry import Apps
from django.db import connection
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from triggers import spoken_rules, timetable
from triggers.models import ScheduleTrigger

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


def mirror(schedule: ScheduleTrigger, workflow_name: str) -> None:
    """Make beat's row of a schedule say what the schedule says; remove it with the schedule.

    Without beat's own signals: they lock one row for all, so that publishers would wait for each
    other, and make beat read its rows anew, which a row that is off is not worth.
    """
    name = f"LeadSend: schedule {schedule.pk}"
    if not schedule.is_active:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_celery_beat_periodictask WHERE name = %s", [name])
        return
    told = {
        "task": PUMP_JOB,
        "crontab": _crontab(schedule),
        "enabled": False,
        "description": _description(schedule, workflow_name),
    }
    if not PeriodicTask.objects.filter(name=name).update(**told):
        PeriodicTask.objects.bulk_create([PeriodicTask(name=name, **told)], ignore_conflicts=True)


def _crontab(schedule: ScheduleTrigger) -> CrontabSchedule:
    """Return the first rule as beat writes them; one in words shows as every minute."""
    line = timetable.lines_of(schedule.cron)[0]
    fields = ["*"] * 5 if spoken_rules.is_spoken(line) else line.lower().split()
    names = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
    wanted = {**dict(zip(names, fields, strict=True)), "timezone": schedule.timezone}
    found = CrontabSchedule.objects.filter(**wanted).first()
    return found or CrontabSchedule.objects.bulk_create([CrontabSchedule(**wanted)])[0]


def _description(schedule: ScheduleTrigger, workflow_name: str) -> str:
    state = "paused" if schedule.paused_at else "on"
    return (
        f"Mirror of a schedule of “{workflow_name}”, which is {state}: {schedule.cron} "
        f"({schedule.timezone}). LeadSend's pump fires it, not this row, which is therefore off; "
        "change it in the workflow."
    )
