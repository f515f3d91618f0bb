"""What a column holds of a value that may be large: its JSON, or where it was put."""

from __future__ import annotations

from typing import Any

from leadsend.lib.payloads import Oversized, encode
from runtime.payloads import placed
from runtime.runs import Run
from runtime.storable import payload_json


def placed_json(value: Any, run: Run) -> str | None:
    """Return a column's text, the reference of a large value. Raises NotPlaced before it is put."""
    try:
        return payload_json(value)
    except Oversized as large:
        return encode(placed(large.data, project_id=run.claimed.project_id))
