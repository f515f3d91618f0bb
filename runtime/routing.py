"""The websocket addresses of this app, for the ASGI entry point."""

from __future__ import annotations

from typing import Any

from django.urls import path

from runtime.consumers import ExecutionConsumer, HomeConsumer, WorkflowConsumer

# The types know views only; an ASGI application is routed just the same.
_execution: Any = ExecutionConsumer.as_asgi()
_workflow: Any = WorkflowConsumer.as_asgi()
_home: Any = HomeConsumer.as_asgi()

websocket_urlpatterns = [
    path("ws/executions/<uuid:execution_id>/", _execution),
    path("ws/workflows/<uuid:workflow_id>/", _workflow),
    path("ws/home/", _home),
]
