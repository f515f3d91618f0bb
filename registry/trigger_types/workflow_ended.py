"""Workflow ended: a run of another workflow has come to its end."""

from __future__ import annotations

from registry.sdk.trigger import TriggerType

OUTCOMES = {
    "SUCCESS": "It succeeded",
    "FAILED": "It failed",
    "TIMED_OUT": "It took too long",
    "CANCELLED": "It was cancelled",
}

WORKFLOW_ENDED = TriggerType(
    key="workflow_ended",
    version=1,
    title="When a workflow ends",
    sentence="When a run[ of {workflow}] ends",
    description="Starts when a run of another workflow of this project has ended.",
    icon="flag",
    stored_type="workflow",
    config_schema={
        "type": "object",
        "properties": {
            "workflow": {
                "type": "string",
                "title": "Workflow",
                "description": "Whose runs to watch, by its short name.",
                "x-ui": "text",
                "x-options-from": "workflows",
                "minLength": 1,
                "maxLength": 120,
            },
            "outcomes": {
                "type": "array",
                "title": "How it ended",
                "description": "Which ends start this workflow.",
                "x-ui": "choice",
                "items": {"type": "string", "enum": list(OUTCOMES), "x-labels": OUTCOMES},
                "minItems": 1,
                "uniqueItems": True,
                "default": ["SUCCESS"],
            },
        },
        "required": ["workflow"],
        "additionalProperties": False,
    },
    event_schema={
        "type": "object",
        "properties": {
            "execution": {
                "type": "object",
                "title": "The run",
                "properties": {
                    "id": {"type": "string", "title": "Number"},
                    "url": {"type": "string", "title": "Page"},
                    "status": {"type": "string", "title": "State", "enum": list(OUTCOMES)},
                    "business_key": {"type": "string", "title": "Business key"},
                    "workflow": {
                        "type": "object",
                        "title": "Workflow",
                        "properties": {
                            "id": {"type": "string", "title": "Number"},
                            "name": {"type": "string", "title": "Name"},
                            "slug": {"type": "string", "title": "Short name"},
                        },
                    },
                },
            },
            "output": {"title": "What it came to"},
            "error": {
                "type": ["object", "null"],
                "title": "Error",
                "properties": {
                    "code": {"type": "string", "title": "Code"},
                    "message": {"type": "string", "title": "Message"},
                    "step_id": {"type": ["string", "null"], "title": "Step"},
                },
            },
            "event": {"title": "Event of that run"},
        },
        "required": ["execution", "output", "error", "event"],
        "additionalProperties": False,
    },
    sample_event={
        "execution": {
            "id": "01890000-0000-7000-8000-000000000001",
            "url": "https://leadsend.example/runs/01890000-0000-7000-8000-000000000001/",
            "status": "SUCCESS",
            "business_key": "ada@example.com",
            "workflow": {
                "id": "01890000-0000-7000-8000-000000000002",
                "name": "Qualify leads",
                "slug": "qualify-leads",
            },
        },
        "output": {"score": 80},
        "error": None,
        "event": {"email": "ada@example.com", "name": "Ada Byron"},
    },
    contact={"email": "event.event.email", "name": "event.event.name"},
)

TRIGGER_TYPES = (WORKFLOW_ENDED,)
