"""Failure: another workflow's run failed, or an event could not be dealt with."""

from __future__ import annotations

from registry.sdk.trigger import TriggerType

FAILURE = TriggerType(
    key="failure",
    version=1,
    title="When a run fails",
    sentence="When a run fails",
    description="Starts when a run of a workflow fails that names this one as its failure "
    "handler, or of any workflow where the project names it.",
    icon="triangle-alert",
    stored_type="failure",
    config_schema={"type": "object", "properties": {}, "additionalProperties": False},
    event_schema={
        "type": "object",
        "properties": {
            "execution": {
                "type": ["object", "null"],
                "title": "Failed run",
                "description": "Empty when an event failed before a run began.",
                "properties": {
                    "id": {"type": "string", "title": "Number"},
                    "url": {"type": "string", "title": "Page"},
                    "status": {"type": "string", "title": "State"},
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
            "error": {
                "type": "object",
                "title": "Error",
                "properties": {
                    "code": {"type": "string", "title": "Code"},
                    "message": {"type": "string", "title": "Message"},
                    "step_id": {"type": ["string", "null"], "title": "Step"},
                },
                "required": ["code", "message"],
            },
            "event": {"title": "Event of the failed run"},
        },
        "required": ["execution", "error", "event"],
        "additionalProperties": True,
    },
    sample_event={
        "execution": {
            "id": "01890000-0000-7000-8000-000000000001",
            "url": "https://leadsend.example/runs/01890000-0000-7000-8000-000000000001/",
            "status": "FAILED",
            "business_key": "ada@example.com",
            "workflow": {
                "id": "01890000-0000-7000-8000-000000000002",
                "name": "Lead Processing Pipeline",
                "slug": "lead-processing-pipeline",
            },
        },
        "error": {"code": "permanent", "message": "The mailbox is full.", "step_id": "welcome"},
        "event": {"email": "ada@example.com", "name": "Ada Byron"},
    },
    contact={"email": "event.event.email", "name": "event.event.name"},
)

TRIGGER_TYPES = (FAILURE,)
