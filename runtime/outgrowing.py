"""When the data of a run becomes more than one may hold: the step that gave too much fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from leadsend.lib.payloads import told_size
from runtime.engine.state import StepRecord
from runtime.runs import Run
from runtime.storable import to_json

# The event and all outputs, as JSON: what expressions can see, and what a claim has to load.
MOST_STATE_BYTES: Final = 32 * 1024 * 1024


class Outgrown(Exception):
    """The next commit would make the run's data larger than it may be; nothing was written."""

    def __init__(self, run: Run) -> None:
        super().__init__(str(run.id))
        self.run = run


def cut(run: Run) -> None:
    """Make a failure of the step that gave too much, forget what followed from it, and go on.

    Pure steps that came after it in the same pass never happened; of an effect that answered in the
    meantime the row stays, without its output. What was known of the size was an upper bound: where
    all of it fits after all, nothing happens.
    """
    kept: list[StepRecord] = []
    total = run.state_bytes = _recorded_bytes(run)
    run.is_weighed = True
    culprit: StepRecord | None = None
    for record in run.unsaved:
        size_bytes = len(to_json(record.output) or "")
        fits = total + size_bytes <= MOST_STATE_BYTES
        if culprit is None and (fits or record.output is None):
            kept.append(record)
            total += size_bytes
        elif culprit is None:
            culprit = _failed(record, size_bytes)
            kept.append(culprit)
        elif record.effect_key is not None:
            kept.append(record if fits else replace(record, output=None))
            total += size_bytes if fits else 0
    if culprit is not None:
        _take_back(run, kept)


def _recorded_bytes(run: Run) -> int:
    new = {id(record) for record in run.unsaved}
    outputs = [record.output for record in run.state.latest.values() if id(record) not in new]
    return run.claimed.data_bytes + len(to_json(outputs) or "")


def _take_back(run: Run, kept: list[StepRecord]) -> None:
    gone = {(record.step_id, record.item) for record in run.unsaved}
    for key in gone:
        run.state.latest.pop(key, None)
    run.drop_asked()
    run.unsaved, run.finish = kept, None
    run.state.latest.update({(record.step_id, record.item): record for record in kept})
    run.advance()


def _failed(record: StepRecord, size_bytes: int) -> StepRecord:
    message = (
        f"The step “{record.step_id}” gave {told_size(size_bytes)}, which would make the data of "
        f"this run larger than {told_size(MOST_STATE_BYTES)}, the most that a run may hold. "
        "Let the step give less: fewer rows, or only the fields that later steps need."
    )
    error = {"code": "state_too_large", "message": message, "step_id": record.step_id}
    return replace(record, status="FAILED", branch="", output=None, due_at=None, error=error)
