"""A run's steps as a person reads them: one entry per step, with all its attempts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from leadsend.lib import clock
from leadsend.lib.payloads import Reference
from registry.catalog import catalog
from runtime.models import Execution, StepExecution
from workflows.definition import upgrades
from workflows.definition.outline import OutlineStep, branch_label, outline, without_paths

_JUDGING = ("condition", "switch")
_STUCK_AFTER = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldStep:
    """One step of a run. ``latest`` decides its state; ``attempts`` are all rows, oldest first.

    ``branch`` names the way taken, "" for the usual one.
    """

    words: OutlineStep
    latest: StepExecution
    attempts: tuple[StepExecution, ...]
    branch: str

    @property
    def output(self) -> Any:
        """Return what came out, as facts are told: the reason of a condition without its paths."""
        result = self.latest.result_data
        if self.latest.kind in _JUDGING and isinstance(result, dict):
            reason = result.get("reason")
            return {"reason": without_paths(reason)} if isinstance(reason, str) else result
        return result

    @property
    def developer(self) -> list[dict[str, Any]]:
        """Return all attempts as developers read them."""
        return [
            {
                "step_id": row.step_id,
                "attempt": row.attempt,
                "item": row.item,
                "status": row.status,
                "branch": row.branch,
                "input_data": _shown(row.input_data),
                "result_data": _shown(row.result_data),
                "error": row.error,
                "effect_key": str(row.effect_key) if row.effect_key else None,
                "execution_time": row.execution_time,
            }
            for row in self.attempts
        ]


def tell_steps(run: Execution, rows: Iterable[StepExecution]) -> list[ToldStep]:
    """Return the steps that have begun, in the order they did; steps passed over come last."""
    document = upgrades.read(run.version.document)
    words = outline(document, catalog=catalog()).by_id()
    by_id = {step["id"]: step for step in document.get("steps", ())}
    groups: dict[tuple[str, str | None], list[StepExecution]] = {}
    for row in rows:
        groups.setdefault((row.step_id, row.item), []).append(row)
    told = []
    for (step_id, _), attempts in groups.items():
        latest = max(attempts, key=lambda row: (row.again, row.attempt))
        label = branch_label(by_id.get(step_id, {}), latest.branch) if latest.branch else ""
        told.append(
            ToldStep(
                words=words.get(step_id) or _unknown(step_id),
                latest=latest,
                attempts=tuple(sorted(attempts, key=lambda row: (row.again, row.attempt))),
                branch=label,
            )
        )
    return sorted(told, key=_order)


def is_stuck(run: Execution) -> bool:
    """Say whether a run should have begun some time ago: then probably no worker is there."""
    return run.status == "PENDING" and run.run_after < clock.now() - _STUCK_AFTER


def _shown(value: Any) -> Any:
    return str(value) if isinstance(value, Reference) else value


def _order(step: ToldStep) -> tuple[bool, Any, int]:
    row = step.latest
    return (row.status == "SKIPPED", row.started_at or row.created_at, step.words.number)


def _unknown(step_id: str) -> OutlineStep:
    return OutlineStep(
        id=step_id, number=0, icon="circle-question-mark", title=step_id, sentence=""
    )
