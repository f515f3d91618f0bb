"""Keeps events that shall start nothing, with the reason; a person can replay them."""

from __future__ import annotations

from django.db import InterfaceError, InternalError, OperationalError

from leadsend.lib import ids
from leadsend.lib.errors import Unavailable
from triggers.events import NewEvent, offloaded, with_identity
from triggers.inbox import AWAY
from triggers.matching import told
from triggers.models import TriggerEvent


def set_aside(event: NewEvent, *, code: str, reason: str) -> TriggerEvent:
    """Store an event with its fate, without offering it to anybody.

    Raises Unavailable when the database is away, or the object storage for a large event.
    """
    kept = offloaded(with_identity(event))
    try:
        return TriggerEvent.objects.create(
            id=kept.event_id or ids.uuid7(),
            project_id=kept.project_id,
            trigger_key=kept.trigger_key,
            trigger_type=kept.trigger_type,
            source=kept.source,
            data=kept.data,
            request=kept.request,
            fate=told(code, reason),
        )
    except (OperationalError, InterfaceError, InternalError) as error:
        raise Unavailable(AWAY) from error
