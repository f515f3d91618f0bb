"""Which large values rows refer to."""

from __future__ import annotations

from django.db.models import Q

from leadsend.lib.payloads import Reference
from runtime.models import Execution, StepExecution


def reference_in(run: Execution, sha256: str) -> Reference | None:
    """Return where the run's value of this hash lies, of its own or of one of its steps."""
    own = (run.context_data, run.request_data, run.output)
    large = Q(input_data__has_key="$payload") | Q(result_data__has_key="$payload")
    rows = StepExecution.objects.of_execution(run.pk).filter(large)
    values = [value for pair in rows.values_list("input_data", "result_data") for value in pair]
    for value in (*own, *values):
        if isinstance(value, Reference) and value.sha256 == sha256:
            return value
    return None
