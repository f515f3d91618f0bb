"""Addresses of all pages: those that span apps, and those of each app."""

from __future__ import annotations

from django.urls import include, path

from leadsend.site import home, setup, trying, workflow_pages

_WORKFLOW = "workflows/<uuid:workflow_id>/"

urlpatterns = [
    path("", home.home, name="home"),
    path("setup/", setup.set_up, name="setup"),
    path("workflows/", workflow_pages.workflow_list, name="workflows"),
    path(_WORKFLOW, workflow_pages.workflow_page, name="workflow"),
    path(f"{_WORKFLOW}publish/", workflow_pages.publish, name="publish_workflow"),
    path(f"{_WORKFLOW}pause/", workflow_pages.pause, name="pause_workflow"),
    path(f"{_WORKFLOW}resume/", workflow_pages.resume, name="resume_workflow"),
    path(f"{_WORKFLOW}sample/", trying.run_sample, name="run_sample"),
    path("begin/", trying.begin, name="begin"),
    path("", include("leadsend.access.urls")),
    path("", include("triggers.urls")),
    path("", include("runtime.urls")),
]
