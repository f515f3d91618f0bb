"""The Celery application: messages that wake workers up, and the clock that beat keeps."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, worker_init

from leadsend.ending import end_for_sure

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "leadsend.settings")

app = Celery("leadsend")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(related_name="jobs")
# By name: it knows models, which can be imported only once Django is set up.
app.steps["worker"].add("leadsend.worker:EngineHost")


@worker_init.connect
def _stay_alone(sender: Any, **_given: Any) -> None:
    """Talk to no other worker: nobody needs it, and it is what breaks when the broker goes away."""
    sender.options.update(without_gossip=True, without_mingle=True, without_heartbeat=True)


@beat_init.connect
def _end_when_told(**_given: Any) -> None:
    """Let beat end at SIGTERM, whatever it is in the middle of: its schedules are ours, in rows."""
    end_for_sure()
