"""Schedule: the workflow starts at set times."""

from __future__ import annotations

from registry.sdk.trigger import TriggerType

WHEN = "Such as “every weekday at 08:00”; one rule on each line. 0 8 * * mon-fri says the same."
OVERLAP = {
    "allow": "Start anyway",
    "queue": "Wait for it",
    "drop_new": "Leave the new one out",
    "cancel_old": "Cancel the earlier one",
    "coalesce": "Wait for it; of several that wait, only the last",
}
MISSED = {"skip": "Leave them out", "latest": "Run the latest once", "all": "Run all (at most 100)"}

SCHEDULE = TriggerType(
    key="schedule",
    version=1,
    title="Schedule",
    sentence="On a schedule",
    description="Starts the workflow at set times, such as every weekday at nine.",
    icon="calendar-clock",
    stored_type="schedule",
    config_schema={
        "type": "object",
        "properties": {
            "cron": {
                "type": "string",
                "title": "When",
                "description": WHEN,
                "x-ui": "schedule",
                "minLength": 1,
                "maxLength": 2000,
            },
            "timezone": {
                "type": "string",
                "title": "Time zone",
                "description": "Where the clock hangs. Left empty, the workflow's time zone.",
                "x-ui": "timezone",
                "maxLength": 64,
            },
            "missed": {
                "type": "string",
                "title": "Times missed while LeadSend was off",
                "description": "What to do with them afterwards.",
                "x-ui": "choice",
                "enum": list(MISSED),
                "x-labels": MISSED,
                "default": "latest",
            },
            "overlap": {
                "type": "string",
                "title": "When the run before is not over",
                "description": "What becomes of a run whose time has come meanwhile.",
                "x-ui": "choice",
                "enum": list(OVERLAP),
                "x-labels": OVERLAP,
                "default": "allow",
            },
            "skip_holidays": {
                "type": "boolean",
                "title": "Not on holidays",
                "description": "Leaves out the days that the calendar names as holidays.",
                "x-ui": "switch",
                "default": False,
            },
            "calendar": {
                "type": "string",
                "title": "Calendar",
                "description": "Whose holidays. Left empty, those of the usual calendar.",
                "x-ui": "text",
                "maxLength": 80,
            },
            "jitter_s": {
                "type": "integer",
                "title": "Spread (seconds)",
                "description": "Starts up to this much later, always by the same amount, so that "
                "not everything starts at once.",
                "x-ui": "number",
                "minimum": 0,
                "maximum": 3600,
                "default": 0,
            },
        },
        "required": ["cron"],
        "additionalProperties": False,
    },
    event_schema={
        "type": "object",
        "properties": {
            "due_at": {"type": "string", "format": "date-time", "title": "Planned time"},
            "schedule_id": {"type": "string", "title": "Schedule"},
            "by_hand": {"type": "boolean", "title": "Started by a person"},
        },
        "required": ["due_at", "schedule_id"],
        "additionalProperties": False,
    },
    sample_event={
        "due_at": "2026-03-02T08:00:00+00:00",
        "schedule_id": "01890000-0000-7000-8000-000000000001",
    },
)

TRIGGER_TYPES = (SCHEDULE,)
