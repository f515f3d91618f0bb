"""The use case of whoever brings an answer: a mail that came in, a call from outside."""

from __future__ import annotations

from typing import Any, Literal

from django.db import transaction

from leadsend.access.models import Project
from leadsend.lib.postgres import django_connection
from runtime import queueing, waits


def answer_waits(kind: Literal["reply", "task"], key: str, answer: Any, *, project: Project) -> int:
    """Answer the steps of a project that wait for this, and return how many that were.

    ``key`` of a reply is the Message-ID of the mail that was answered, as the step ``email_send``
    gave it; ``answer`` is ``{"reply": JSON}``. 0 where no step waits (any more): the first answer
    counts, and one that comes before the wait has begun does not.
    """
    with transaction.atomic():
        count = waits.answer(django_connection(), kind, {key: answer}, project_id=project.pk)
    if count:
        queueing.ring()
    return count
