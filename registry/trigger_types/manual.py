"""Manual: a person or another program starts the workflow."""

from __future__ import annotations

from registry.sdk.trigger import TriggerType

MANUAL = TriggerType(
    key="manual",
    version=1,
    title="By hand",
    sentence="When somebody starts it",
    description="Starts when a person presses Run, or another program asks for it.",
    icon="play",
    stored_type="manual",
    config_schema={"type": "object", "properties": {}, "additionalProperties": False},
    event_schema={"type": "object", "additionalProperties": True},
    sample_event={"email": "ada@example.com", "name": "Ada Byron"},
    contact={"email": "event.email", "name": "event.name"},
)

TRIGGER_TYPES = (MANUAL,)
