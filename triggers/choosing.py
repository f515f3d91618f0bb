"""Lets people choose by hand what starts a workflow: each choice is a change of its draft."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from leadsend.access.models import User
from leadsend.lib.errors import Conflict
from triggers.models import Subscription
from workflows import drafts, publishing
from workflows.definition import slugs
from workflows.models import Workflow

Answers = Mapping[str, Any]


def subscribe(
    workflow: Workflow,
    *,
    user: User | None,
    trigger_key: str,
    cfg: Mapping[str, Any],
    filter_conditions: Mapping[str, Any],
) -> tuple[Subscription, Answers]:
    """Add a trigger to the draft and publish it when the workflow is active.

    Returns the subscription and what publishing has to tell (``webhook_endpoints``). An inactive
    workflow's subscription listens once it is published. The same trigger again is the same
    subscription. Raises InvalidInput, with the problems that forbid publishing.
    """
    wanted = {
        "trigger_key": trigger_key,
        "cfg": dict(cfg),
        "filter_conditions": dict(filter_conditions),
    }
    with transaction.atomic():
        trigger_id = _same_in_draft(workflow, wanted) or _add(workflow, wanted, user)
        version = publishing.publish_if_active(workflow, user)
        subscription = _row(workflow, trigger_id, wanted)
    return subscription, version.answers if version is not None else {}


def change(
    subscription: Subscription, *, user: User | None, fields: Mapping[str, Any], publish: bool
) -> tuple[Subscription, Answers]:
    """Set ``cfg`` or ``filter_conditions`` of the trigger in the draft; publish it when told to.

    Until the draft is published, events meet the old filter. Raises Conflict when the draft no
    longer has the trigger, InvalidInput.
    """
    workflow = subscription.workflow
    trigger_id = subscription.trigger_id
    if all(trigger["id"] != trigger_id for trigger in drafts.document_of(workflow)["triggers"]):
        raise Conflict("The draft no longer has this trigger: add it again.")
    steps = [
        {"op": "set_trigger", "trigger": trigger_id, "path": f"/{name}", "value": value}
        for name, value in fields.items()
    ]
    with transaction.atomic():
        if steps:
            drafts.apply(workflow, steps, user=user)
        version = publishing.publish_if_active(workflow, user) if publish else None
    subscription.refresh_from_db()
    return subscription, version.answers if version is not None else {}


def _same_in_draft(workflow: Workflow, wanted: Mapping[str, Any]) -> str | None:
    for trigger in drafts.document_of(workflow)["triggers"]:
        if {name: trigger[name] for name in wanted} == wanted:
            return str(trigger["id"])
    return None


def _add(workflow: Workflow, wanted: Mapping[str, Any], user: User | None) -> str:
    taken = [trigger["id"] for trigger in drafts.document_of(workflow)["triggers"]]
    name = slugs.slug_of(str(wanted["trigger_key"]), fallback="trigger")
    trigger_id = slugs.unique(name, taken)
    operation = {"op": "add_trigger", "trigger": {"id": trigger_id, **wanted}}
    drafts.apply(workflow, [operation], user=user)
    return trigger_id


def _row(workflow: Workflow, trigger_id: str, wanted: Mapping[str, Any]) -> Subscription:
    """Return the row that publishing made, or one that waits for the first publishing."""
    row: Subscription
    row, _ = Subscription.objects.get_or_create(
        workflow=workflow,
        trigger_id=trigger_id,
        defaults={
            **wanted,
            "project_id": workflow.project_id,
            "source": f"draft:{workflow.pk}",
            "is_active": False,
        },
    )
    return row
