"""The newest events of a source, found without reading through everything a project ever got."""

from __future__ import annotations

from uuid import UUID

from triggers.models import TriggerEvent

# How far to look back for the events of one source among those of its whole project.
LOOKED_AT = 100_000


def of_source(project_id: UUID, source: str, *, most: int) -> list[TriggerEvent]:
    """Return up to ``most`` events of a source, newest first; of the project's last 100,000."""
    rows = TriggerEvent.objects.filter(project_id=project_id)
    edge = rows.order_by("-id").values_list("pk", flat=True)[LOOKED_AT - 1 : LOOKED_AT].first()
    if edge is not None:
        rows = rows.filter(pk__gte=edge)
    return list(rows.filter(source=source).order_by("-id")[:most])
