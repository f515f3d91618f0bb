"""What a person may do to a circuit: close it by hand, once the other side works again."""

from __future__ import annotations

from django.db import transaction

from leadsend.access import audit
from leadsend.access.models import User
from runtime.models import Circuit


def reset(circuit: Circuit, *, user: User | None) -> None:
    """Forget the failures of a host or credential; engines send again within a second.

    Asking for it twice changes nothing and leaves no second entry.
    """
    with transaction.atomic():
        found = Circuit.objects.select_for_update().filter(pk=circuit.pk).first()
        if found is None:
            return
        detail = {"name": found.name, "failures": found.failures}
        audit.record("circuit.reset", actor=user, project=found.project, obj=found, detail=detail)
        found.delete()
