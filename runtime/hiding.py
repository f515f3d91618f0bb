"""Keeps the secret variables of a run out of what is written of it."""

from __future__ import annotations

from typing import Any

from leadsend.lib.redaction import redact
from runtime.runs import Run


def hidden(run: Run, value: Any) -> Any:
    """Return a value with the run's secret variables masked."""
    if value is None or not run.secrets:
        return value
    with run.hiding_secrets():
        return redact(value)
