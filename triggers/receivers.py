"""What this app does, inside their transaction, when workflows are published, runs end, tasks are done."""

from __future__ import annotations

from typing import Any

from runtime.api.replaying import replay
from runtime.signals import execution_finished, task_done
from triggers import replaying, run_ends, subscribing, task_events
from workflows.models import Workflow, WorkflowVersion
from workflows.signals import workflow_published, workflow_retired


def connect() -> None:
    """Listen to the facts of other apps; called once the apps are ready."""
    workflow_published.connect(_published, dispatch_uid="triggers.published")
    workflow_retired.connect(_retired, dispatch_uid="triggers.retired")
    replay.connect(replaying.replay_execution)
    execution_finished.connect(run_ends.tell, dispatch_uid="triggers.ended")
    task_done.connect(task_events.tell_done, dispatch_uid="triggers.task_done")


def _published(*, workflow: Workflow, version: WorkflowVersion, **_signal: Any) -> dict[str, Any]:
    return subscribing.bring_in_line(workflow, version)


def _retired(*, workflow: Workflow, **_signal: Any) -> None:
    subscribing.retire(workflow)
