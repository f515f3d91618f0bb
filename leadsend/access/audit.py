"""The audit log: who did what, when, from where; it only grows, and each entry seals the last.

``record`` belongs into the transaction of the act, as its last statement: entries are numbered
one after the other, so the first of two acts holds up the second until it commits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models import Model
from django.http import HttpRequest
from rest_framework.request import Request

from leadsend.access.models import AuditEntry, Project, User
from leadsend.lib import clock
from leadsend.lib.redaction import redact_fields

# Any number that nothing else uses as an advisory lock: "audit" in ASCII.
_LOCK = 0x6175646974


def record(
    act: str,
    *,
    actor: User | str | None,
    project: Project | None,
    obj: Model,
    detail: Mapping[str, Any] | None = None,
    request: HttpRequest | Request | None = None,
) -> AuditEntry:
    """Write what was done; ``act`` is for example ``workflow.publish``.

    ``actor`` is a user, or the name of the part that acted by itself. ``detail`` is JSON, with
    secrets taken out here; ``request`` gives the address it came from. Two queries and an insert.
    """
    user = actor if isinstance(actor, User) else None
    entry = AuditEntry(
        project=project,
        actor=user,
        actor_label=user.email if user else str(actor or "system"),
        act=act,
        object_type=obj._meta.label_lower,
        object_id=str(obj.pk),
        detail=json.loads(json.dumps(redact_fields(detail or {}), cls=DjangoJSONEncoder)),
        address=(request.META.get("REMOTE_ADDR") or "")[:64] if request is not None else "",
        at=clock.now(),
    )
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        last = AuditEntry.objects.order_by("-number").values_list("number", "hash").first()
        entry.number, entry.previous_hash = (last[0] + 1, last[1]) if last else (1, "")
        entry.hash = hash_of(entry)
        entry.save(force_insert=True)
    return entry


def hash_of(entry: AuditEntry) -> str:
    """Return the SHA-256 over an entry and the hash of the one before it."""
    content = [
        entry.number,
        entry.previous_hash,
        str(entry.project_id),
        str(entry.actor_id),
        entry.actor_label,
        entry.act,
        entry.object_type,
        entry.object_id,
        entry.detail,
        entry.address,
        entry.at.isoformat(),
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def broken_entries() -> Iterator[AuditEntry]:
    """Yield the entries that do not fit to what they say or to the one before them."""
    previous, number = "", 0
    for entry in AuditEntry.objects.order_by("number").iterator():
        fits = (entry.previous_hash, entry.number) == (previous, number + 1)
        if not fits or entry.hash != hash_of(entry):
            yield entry
        previous, number = entry.hash, entry.number
