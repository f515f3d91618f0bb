"""A small catalogue for tests of the document."""

from __future__ import annotations

from registry.sdk.action import Action, Delivery
from registry.sdk.trigger import TriggerType

_OBJECT = {"type": "object", "additionalProperties": False}


async def _run(ctx, inputs):
    return {}


def _action(key, properties, output, required=(), choice=None):
    return Action(
        key=key,
        version=1,
        title=key,
        sentence="",
        description="",
        category="",
        icon="",
        config_schema={
            **_OBJECT,
            "properties": properties,
            "required": list(required),
            **({"anyOf": choice} if choice else {}),
        },
        output_schema={**_OBJECT, "properties": output, "required": list(output)},
        example={},
        sample_output={},
        delivery=Delivery.AT_LEAST_ONCE,
        run=_run,
        pretend=lambda inputs: {},
        aliases=("task_management",) if key == "task_create" else (),
    )


def _trigger(key, properties, required):
    return TriggerType(
        key=key,
        version=1,
        title=key,
        sentence="",
        description="",
        icon="",
        stored_type=key,
        config_schema={**_OBJECT, "properties": {"cron": {"type": "string"}}},
        event_schema={**_OBJECT, "properties": properties, "required": required},
        sample_event={},
    )


_TEXT = {"type": "string"}
_ACTIONS = [
    _action(
        "email_send",
        {
            "to": {"type": "string", "title": "To", "format": "email"},
            "template": _TEXT,
            "delay_s": {"type": "integer", "minimum": 0, "title": "Delay"},
        },
        {"message_id": _TEXT},
        choice=[{"required": ["template"]}, {"required": ["to", "delay_s"]}],
    ),
    _action(
        "task_create",
        {"title": {"type": "string", "title": "Title"}, "assignee": _TEXT, "operation": _TEXT},
        {"id": _TEXT},
        required=["title"],
    ),
]
_TRIGGERS = [
    _trigger("form", {"email": _TEXT, "score": {"type": "number"}}, ["email", "score"]),
    _trigger("mail", {"email": _TEXT, "subject": _TEXT}, ["email", "subject"]),
    _trigger("schedule", {"due_at": _TEXT}, ["due_at"]),
]


class Catalog:
    """Two actions and three trigger types."""

    def action(self, key):
        return next((a for a in _ACTIONS if key == a.key or key in a.aliases), None)

    def trigger_type(self, key):
        return next((t for t in _TRIGGERS if key == t.key), None)

    def action_keys(self):
        return [a.key for a in _ACTIONS]

    def trigger_keys(self):
        return [t.key for t in _TRIGGERS]
