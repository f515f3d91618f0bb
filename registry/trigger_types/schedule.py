"""Schedule: the workflow starts at set times."""

from __future__ import annotations

from registry.sdk.trigger import TriggerType

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
                "description": "Minute, hour, day, month, weekday: 0 9 * * mon-fri is every "
                "weekday at nine.",
                "x-ui": "schedule",
                "minLength": 9,
                "maxLength": 120,
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
        },
        "required": ["cron"],
        "additionalProperties": False,
    },
    event_schema={
        "type": "object",
        "properties": {
            "due_at": {"type": "string", "format": "date-time", "title": "Planned time"},
            "schedule_id": {"type": "string", "title": "Schedule"},
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
