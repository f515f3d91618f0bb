"""What runs: executions, the attempts of their steps, tasks for people, kept mails, workers."""

from __future__ import annotations

from runtime.models.answers import WebhookAnswer
from runtime.models.bulk import (
    BulkItem,
    BulkItemStatus,
    BulkJob,
    BulkStatus,
    RatedJob,
)
from runtime.models.engines import (
    ExecutionBatch,
    Worker,
)
from runtime.models.executions import (
    FAILED_EXECUTION,
    FINAL_EXECUTION,
    FINAL_STEP,
    Execution,
    ExecutionQuerySet,
    ExecutionStatus,
    StepExecution,
    StepExecutionQuerySet,
    StepStatus,
)
from runtime.models.gates import (
    Circuit,
    RateLimit,
)
from runtime.models.people import (
    OutboxMail,
    Task,
    TaskQuerySet,
    TaskStatus,
)
from runtime.models.waiting import (
    ConcurrencyTurn,
    ExecutionTimer,
    ExecutionWait,
    WaitKind,
)

__all__ = [
    "FAILED_EXECUTION",
    "FINAL_EXECUTION",
    "FINAL_STEP",
    "BulkItem",
    "BulkItemStatus",
    "BulkJob",
    "BulkStatus",
    "Circuit",
    "ConcurrencyTurn",
    "Execution",
    "ExecutionBatch",
    "ExecutionQuerySet",
    "ExecutionStatus",
    "ExecutionTimer",
    "ExecutionWait",
    "OutboxMail",
    "RateLimit",
    "RatedJob",
    "StepExecution",
    "StepExecutionQuerySet",
    "StepStatus",
    "Task",
    "TaskQuerySet",
    "TaskStatus",
    "WaitKind",
    "WebhookAnswer",
    "Worker",
]
