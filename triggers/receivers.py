"""What this app does when a workflow is published or retired, inside that transaction."""

from __future__ import annotations

from typing import Any

from runtime.api.replaying import replay
from triggers import replaying, subscribing
from workflows.models import Workflow, WorkflowVersion
from workflows.signals import workflow_published, workflow_retired


def connect() -> None:
    """Listen to the facts about workflows; called once the apps are ready."""
    workflow_published.connect(_published, dispatch_uid="triggers.published")
    workflow_retired.connect(_retired, dispatch_uid="triggers.retired")
    replay.connect(replaying.replay_execution)


def _published(*, workflow: Workflow, version: WorkflowVersion, **_signal: Any) -> dict[str, Any]:
    return subscribing.bring_in_line(workflow, version)


def _retired(*, workflow: Workflow, **_signal: Any) -> None:
    subscribing.retire(workflow)
