from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q

# Both indexes hold rare rows only: wishes that the reaper has to see, and retries.
_FINAL = ("SUCCESS", "FAILED", "CANCELLED", "TIMED_OUT")


class Migration(migrations.Migration):
    dependencies = [("runtime", "0002_guards_and_views")]

    operations = [
        migrations.AddIndex(
            "execution",
            models.Index(
                fields=["id"],
                condition=Q(cancel_requested_at__isnull=False) & ~Q(status__in=_FINAL),
                name="execution_cancel_asked",
            ),
        ),
        migrations.AddIndex(
            "execution",
            models.Index(
                fields=["retry_of"],
                condition=Q(retry_of__isnull=False),
                name="execution_by_retried",
            ),
        ),
    ]
