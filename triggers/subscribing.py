"""Keeps what starts a workflow in line with its published document, and lets people hold it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction

from leadsend.access import audit
from leadsend.access.models import User
from leadsend.lib import clock
from leadsend.lib.errors import Conflict, InvalidInput, Problem
from registry.catalog import catalog
from registry.sdk.trigger import TriggerType
from triggers import (
    db_changes,
    endpoints,
    hosted_forms,
    replay_jobs,
    run_ends,
    scheduling,
    task_events,
)
from triggers.models import (
    AnswerMode,
    AuthMode,
    HostedForm,
    ReplayJob,
    Subscription,
    WebhookEndpoint,
)
from workflows.definition import canonical, upgrades
from workflows.models import Workflow, WorkflowVersion

_BEFORE_PAUSE = timedelta(minutes=1)
DEFAULT_AUTH: Mapping[str, Any] = {"mode": AuthMode.STANDARD_WEBHOOKS.value}


@dataclass(frozen=True, slots=True)
class _Way:
    """A way in that is ready: the source of its events, and what to tell the publisher."""

    source: str
    endpoint: Mapping[str, Any] | None = None
    form: Mapping[str, Any] | None = None


JSON = Mapping[str, Any]
_Keeper = Callable[[Workflow, JSON, JSON, JSON], _Way]


def bring_in_line(workflow: Workflow, version: WorkflowVersion) -> dict[str, Any]:
    """Make subscriptions, endpoints, schedules and watched tables say what the version says.

    Runs in the publisher's transaction; a failure undoes the publishing. Returns
    ``{"webhook_endpoints": [{"id", "trigger_id", "url", "auth": {"mode", "secret"?}}], "forms":
    [{"id", "trigger_id", "url"}]}``, each only where there are some; the secret only of endpoints
    that got a new one now.
    """
    document = upgrades.upgrade(canonical.load(version.document))
    told: dict[str, Any] = defaultdict(list)
    for trigger in document["triggers"]:
        way = _keep(workflow, trigger, document)
        _leave_old_source(workflow, trigger, way.source)
        _subscribe(workflow, trigger, way.source)
        if way.endpoint is not None:
            told["webhook_endpoints"].append(way.endpoint)
        if way.form is not None:
            told["forms"].append(way.form)
    _drop_others(workflow, {trigger["id"] for trigger in document["triggers"]})
    return dict(told)


def retire(workflow: Workflow) -> None:
    """Switch off everything that starts the workflow; a new publishing switches it on again."""
    _drop_others(workflow, set())


def pause(subscription: Subscription, *, user: User | None) -> None:
    """Hold a subscription: its events are kept and start nothing. Safe to call twice."""
    _hold(subscription, user=user, is_paused=True)


def resume(subscription: Subscription, *, user: User | None) -> None:
    """Let new events start executions again; those held back can be replayed."""
    _hold(subscription, user=user, is_paused=False)


def resume_with_held(
    subscription: Subscription, *, user: User, per_second: int = 10
) -> ReplayJob | None:
    """Resume, and offer the subscription what came while it was paused, oldest first, at a rate.

    Returns the job that does so, or None when nothing came or it was not paused.
    """
    with transaction.atomic():
        locked = Subscription.objects.select_for_update(of=("self",)).get(pk=subscription.pk)
        if locked.paused_at is None:
            return None
        # What was stored just before the pause may have been looked at only after it began.
        wanted = {
            "source": locked.source,
            "received_after": (locked.paused_at - _BEFORE_PAUSE).isoformat(),
        }
        resume(subscription, user=user)
        try:
            return replay_jobs.begin(
                locked.project, wanted, per_second=per_second, user=user, subscription=locked
            )
        except Conflict:
            return None


def rotate_secret(endpoint: WebhookEndpoint, *, user: User | None, secret: str = "") -> str:
    """Return the new secret, shown once; the old one stays good for 24 hours.

    ``secret`` is one that the sender has made. Raises InvalidInput when it cannot be one.
    """
    with transaction.atomic():
        locked = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
        secret = endpoints.rotate(locked, secret=secret)
        audit.record("webhook_endpoint.rotate", actor=user, project=locked.project, obj=locked)
    endpoint.refresh_from_db()
    return secret


def _hold(subscription: Subscription, *, user: User | None, is_paused: bool) -> None:
    with transaction.atomic():
        changed = Subscription.objects.filter(
            pk=subscription.pk, paused_at__isnull=is_paused
        ).update(paused_at=clock.now() if is_paused else None, updated_at=clock.now())
        if changed:
            act = "subscription.pause" if is_paused else "subscription.resume"
            audit.record(act, actor=user, project=subscription.project, obj=subscription)
    subscription.refresh_from_db(fields=["paused_at", "updated_at"])


def _keep(workflow: Workflow, trigger: Mapping[str, Any], document: Mapping[str, Any]) -> _Way:
    kind = catalog().trigger_type(trigger["trigger_key"])
    cfg = _full_cfg(kind, trigger["cfg"])
    keep: _Keeper = _KEEPERS.get(_base_key(kind, trigger), _keep_plain)
    return keep(workflow, trigger, cfg, document)


def _base_key(kind: TriggerType | None, trigger: Mapping[str, Any]) -> str:
    return (kind.preset_of or kind.key) if kind is not None else str(trigger["trigger_key"])


def _full_cfg(kind: TriggerType | None, cfg: Mapping[str, Any]) -> dict[str, Any]:
    return {**cfg, **(kind.preset_cfg if kind is not None else {})}


def _keep_plain(
    workflow: Workflow,
    trigger: Mapping[str, Any],
    cfg: Mapping[str, Any],
    document: Mapping[str, Any],
) -> _Way:
    return _Way(f"{trigger['trigger_key']}:{workflow.pk}")


def _keep_schedule(
    workflow: Workflow,
    trigger: Mapping[str, Any],
    cfg: Mapping[str, Any],
    document: Mapping[str, Any],
) -> _Way:
    if cfg.get("overlap", "allow") != "allow" and document["settings"].get("concurrency"):
        raise _two_rules(trigger["id"])
    zone = cfg.get("timezone") or document["settings"].get("timezone") or "UTC"
    row = scheduling.keep(workflow, trigger["id"], {**cfg, "timezone": zone})
    return _Way(f"schedule:{row.pk}")


def _two_rules(trigger_id: str) -> InvalidInput:
    message = (
        "The workflow's settings say what happens when runs overlap (concurrency): leave the "
        "schedule's own rule for it at “start anyway”."
    )
    problem = Problem(code="schedule", message=message, path=f"/triggers/{trigger_id}/cfg/overlap")
    return InvalidInput(message, code="schedule", problems=[problem])


def _keep_table(
    workflow: Workflow,
    trigger: Mapping[str, Any],
    cfg: Mapping[str, Any],
    document: Mapping[str, Any],
) -> _Way:
    return _Way(db_changes.keep(workflow, trigger["id"], cfg))


def _keep_end(
    workflow: Workflow,
    trigger: Mapping[str, Any],
    cfg: Mapping[str, Any],
    document: Mapping[str, Any],
) -> _Way:
    return _Way(run_ends.keep(workflow, trigger["id"], cfg))


def _keep_tasks(
    workflow: Workflow,
    trigger: Mapping[str, Any],
    cfg: Mapping[str, Any],
    document: Mapping[str, Any],
) -> _Way:
    return _Way(task_events.source_of(trigger["trigger_key"], workflow.project_id))


def _keep_webhook(
    workflow: Workflow,
    trigger: Mapping[str, Any],
    cfg: Mapping[str, Any],
    document: Mapping[str, Any],
) -> _Way:
    row = WebhookEndpoint.objects.filter(workflow=workflow, trigger_id=trigger["id"]).first()
    endpoint = row or endpoints.new(workflow, trigger["id"])
    auth = dict(cfg.get("auth") or DEFAULT_AUTH)
    needs_secret = row is None or endpoint.auth_mode != auth["mode"]
    endpoint.auth_mode = auth["mode"]
    endpoint.auth_cfg = {name: value for name, value in auth.items() if name != "mode"}
    endpoint.name = cfg.get("name", "")
    endpoint.methods = cfg.get("methods") or ["POST"]
    endpoint.event_key_template = cfg.get("event_key", "")
    endpoint.origins = cfg.get("origins", [])
    endpoint.per_minute = cfg.get("per_minute")
    most_kb = cfg.get("most_kb")
    endpoint.answer_mode = cfg.get("answer", AnswerMode.AT_ONCE)
    endpoint.longest_wait_s = cfg.get("longest_wait_s", 25)
    endpoint.most_bytes = most_kb * 1024 if most_kb else None
    endpoint.is_active = True
    endpoint.updated_at = clock.now()
    secret = endpoints.give_secret(endpoint) if needs_secret else ""
    endpoint.save()
    endpoints.forget(endpoint.token)
    return _Way(f"webhook:{endpoint.pk}", endpoints.shown(endpoint, secret=secret))


def _keep_form(
    workflow: Workflow,
    trigger: Mapping[str, Any],
    cfg: Mapping[str, Any],
    document: Mapping[str, Any],
) -> _Way:
    form = hosted_forms.keep(workflow, trigger["id"], cfg)
    return _Way(form.source, form=hosted_forms.shown(form))


def _leave_old_source(workflow: Workflow, trigger: Mapping[str, Any], source: str) -> None:
    """Let go of what a trigger listened to before, such as another table."""
    before = Subscription.objects.filter(
        workflow=workflow, trigger_id=trigger["id"], is_active=True
    ).exclude(source=source)
    for subscription in before:
        _drop_source(workflow, subscription)


def _subscribe(workflow: Workflow, trigger: Mapping[str, Any], source: str) -> None:
    Subscription.objects.update_or_create(
        workflow=workflow,
        trigger_id=trigger["id"],
        defaults={
            "project_id": workflow.project_id,
            "trigger_key": trigger["trigger_key"],
            "source": source,
            "cfg": trigger["cfg"],
            "filter_conditions": trigger["filter_conditions"],
            "is_active": True,
            "updated_at": clock.now(),
        },
    )


def _drop_others(workflow: Workflow, kept: set[str]) -> None:
    """Switch off what belongs to triggers that are not named; rows stay, they carry history."""
    now = clock.now()
    listening = Subscription.objects.filter(workflow=workflow, is_active=True)
    for subscription in listening.exclude(trigger_id__in=kept):
        subscription.is_active = False
        subscription.updated_at = now
        subscription.save(update_fields=["is_active", "updated_at"])
        _drop_source(workflow, subscription)
    closed = WebhookEndpoint.objects.filter(workflow=workflow, is_active=True)
    for endpoint in closed.exclude(trigger_id__in=kept):
        endpoint.is_active = False
        endpoint.updated_at = now
        endpoint.save(update_fields=["is_active", "updated_at"])
        endpoints.forget(endpoint.token)
    open_forms = HostedForm.objects.filter(workflow=workflow, is_active=True)
    open_forms.exclude(trigger_id__in=kept).update(is_active=False, updated_at=now)


def _drop_source(workflow: Workflow, subscription: Subscription) -> None:
    kind = catalog().trigger_type(subscription.trigger_key)
    trigger = {"trigger_key": subscription.trigger_key}
    base = _base_key(kind, trigger)
    if base == "schedule":
        scheduling.drop(workflow, subscription.trigger_id)
    elif base == "db_change":
        cfg = _full_cfg(kind, subscription.cfg)
        db_changes.drop(workflow, subscription.trigger_id, cfg)


_KEEPERS: Mapping[str, _Keeper] = {
    "webhook": _keep_webhook,
    "form": _keep_form,
    "schedule": _keep_schedule,
    "db_change": _keep_table,
    "workflow_ended": _keep_end,
    "task_done": _keep_tasks,
    "task_overdue": _keep_tasks,
}
