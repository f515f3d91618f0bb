from __future__ import annotations

from django.db import migrations

from triggers.beat import ensure_beat_rows


class Migration(migrations.Migration):
    dependencies = [
        ("triggers", "0002_watches_may_wait"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.RunPython(
            lambda apps, _: ensure_beat_rows(apps), migrations.RunPython.noop, elidable=False
        )
    ]
