from __future__ import annotations

from django.db import migrations

ROW = "LeadSend: prune"


def schedule(apps, _schema_editor=None):
    """Let beat ask for the maintenance of history once a day, at a quiet hour."""
    crontab, _ = apps.get_model("django_celery_beat", "CrontabSchedule").objects.get_or_create(
        minute="17", hour="3", day_of_week="*", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.update_or_create(
        name=ROW,
        defaults={
            "task": "runtime.jobs.prune",
            "crontab": crontab,
            "enabled": True,
            "expire_seconds": 3600,
            "description": "Makes partitions ahead and deletes history past its time.",
        },
    )


class Migration(migrations.Migration):
    dependencies = [
        ("runtime", "0003_rare_rows"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(schedule, migrations.RunPython.noop, elidable=False)]
