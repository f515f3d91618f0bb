"""Keeps the forms that LeadSend shows in line with the triggers they belong to."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from leadsend.lib import clock
from triggers.models import HostedForm
from workflows.models import Workflow

_TOKEN_BYTES = 12


def keep(workflow: Workflow, trigger_id: str, cfg: Mapping[str, Any]) -> HostedForm:
    """Show the form of a trigger as its settings say now; its address never changes."""
    form, _ = HostedForm.objects.update_or_create(
        workflow=workflow,
        trigger_id=trigger_id,
        defaults={"cfg": cfg, "is_active": True, "updated_at": clock.now()},
        create_defaults={
            "project_id": workflow.project_id,
            "token": secrets.token_urlsafe(_TOKEN_BYTES),
            "cfg": cfg,
        },
    )
    return form


def find(token: str) -> HostedForm | None:
    """Return the open form at an address, or None."""
    return HostedForm.objects.select_related("workflow").filter(token=token, is_active=True).first()


def open_forms(workflow: Workflow) -> list[tuple[HostedForm, str]]:
    """Return the forms that a workflow has open, each with its URL."""
    rows = HostedForm.objects.filter(workflow=workflow, is_active=True).order_by("trigger_id")
    return [(row, address(row)) for row in rows]


def address(form: HostedForm) -> str:
    """Return the form's URL."""
    return f"{settings.PUBLIC_URL}/forms/{form.token}/"


def shown(form: HostedForm) -> dict[str, Any]:
    """Return what its owner is told: ``{"id", "trigger_id", "url"}``."""
    return {"id": str(form.pk), "trigger_id": form.trigger_id, "url": address(form)}
