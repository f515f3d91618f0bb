"""How log lines look: an event with its fields, secrets taken out.

``2026-03-02T09:00:00.123Z INFO runtime.draining step finished execution=0189… ms=31``
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from leadsend.lib.redaction import redact_fields, redact_text

# What every record has by itself; the rest came in through ``extra``.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class EventFormatter(logging.Formatter):
    """Writes the moment, level, logger, message and the fields of ``extra`` as name=value."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with the traceback below it if there is one."""
        moment = datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds")
        fields = redact_fields(_extra(record))
        parts = [
            moment.replace("+00:00", "Z"),
            record.levelname,
            record.name,
            redact_text(_one_line(record.getMessage())),
            *(f"{name}={_written(value)}" for name, value in fields.items()),
        ]
        lines = [" ".join(parts)]
        if record.exc_info:
            lines.append(redact_text(self.formatException(record.exc_info)))
        if record.stack_info:
            lines.append(redact_text(record.stack_info))
        return "\n".join(lines)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _OWN}


def _one_line(text: str) -> str:
    # A line break in what users send must not forge a log line.
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _written(value: Any) -> str:
    if isinstance(value, str) and value and not any(sign in value for sign in ' "=\r\n\t'):
        return value
    if isinstance(value, bool | int | float):
        return str(value)
    return json.dumps(value, default=str, ensure_ascii=False)
