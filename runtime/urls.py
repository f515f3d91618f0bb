"""Addresses of the pages of runs, tasks and mails."""

from __future__ import annotations

from django.urls import path

from runtime.views import again, outbox, runs, tasks

_RUN = "runs/<uuid:run_id>/"

urlpatterns = [
    path("runs/", runs.run_list, name="runs"),
    path(_RUN, runs.run_page, name="run"),
    *(
        path(f"{_RUN}{wish}/", runs.act, {"wish": wish}, name=f"{wish}_run")
        for wish in ("cancel", "pause", "resume", "retry")
    ),
    path(f"{_RUN}again/", again.again, name="again_run"),
    path(f"{_RUN}steps/<uuid:step_row_id>/decide/", runs.decide, name="decide_step"),
    path("tasks/", tasks.task_list, name="tasks"),
    path("tasks/<uuid:task_id>/complete/", tasks.complete, name="complete_task"),
    path("outbox/", outbox.mail_list, name="outbox"),
    path("outbox/<uuid:mail_id>/", outbox.mail_page, name="mail"),
    path("outbox/<uuid:mail_id>/html/", outbox.mail_html, name="mail_html"),
]
