"""The Celery application: messages that wake workers up, and the clock that beat keeps."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "leadsend.settings")

app = Celery("leadsend")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(related_name="jobs")
# By name: it knows models, which can be imported only once Django is set up.
app.steps["worker"].add("leadsend.worker:EngineHost")
