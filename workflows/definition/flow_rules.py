"""What can be wrong with the settings that hold runs back: concurrency and debounce."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from leadsend.lib.errors import Problem
from workflows.definition import durations

LONGEST_DEBOUNCE = timedelta(days=7)


def check_flow(settings: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what the schema cannot say about ``settings.concurrency`` and ``settings.debounce``."""
    concurrency, debounce = settings.get("concurrency"), settings.get("debounce")
    if isinstance(debounce, Mapping):
        yield from _check_span(debounce.get("for"))
    if not isinstance(concurrency, Mapping):
        return
    policy = concurrency.get("policy", "queue")
    if debounce and policy in ("drop_new", "cancel_old", "coalesce"):
        message = f"Debounce and “{policy}” both choose among events: use “queue” beside debounce."
        yield Problem(code="form", message=message, path="/settings/concurrency/policy")
    if concurrency.get("strict_order") is True and policy != "queue":
        message = "Strict order is for the policy “queue”: the others leave events out."
        yield Problem(code="form", message=message, path="/settings/concurrency/strict_order")


def _check_span(span: Any) -> Iterator[Problem]:
    if not isinstance(span, Mapping):
        return
    path = "/settings/debounce/for"
    try:
        length = durations.span(span)
    except ValueError as error:
        if "value" in span and "unit" in span:
            yield Problem(code="form", message=str(error), path=path)
        return
    if not timedelta() < length <= LONGEST_DEBOUNCE:
        message = "Debounce waits for more than nothing and at most 7 days: change the span."
        yield Problem(code="form", message=message, path=path)
