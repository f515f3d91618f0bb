"""``/livez /readyz /healthz /metrics``: is the process there, the database, does work go on.

They are open, as probes and scrapers carry no sign-in; they tell counts and ages only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import wraps
from typing import Any

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache

from leadsend.access.pages import PUBLIC, page
from leadsend.lib import clock
from leadsend.lib.rest.envelope import envelope
from leadsend.site.vitals import Vitals, read_vitals

# Beyond these ages (seconds) somebody has to look; docs/operating.md says at what.
LIMITS_S = {
    "oldest_inbox_s": 60,
    "oldest_pending_s": 300,
    "oldest_due_s": 60,
    "oldest_change_s": 60,
    "scheduler_lag_s": 60,
}

_View = Callable[[HttpRequest], HttpResponse]


def _with_database(view: _View) -> _View:
    """Answer 503 while the database is away."""

    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        try:
            return view(request)
        except DatabaseError:
            body = envelope("unavailable", "The database is away.")
            return JsonResponse(body, status=503, headers={"Retry-After": "5"})

    return answer


@page(PUBLIC)
@never_cache
def livez(request: HttpRequest) -> HttpResponse:
    """Tell that the process answers; touches nothing else."""
    return JsonResponse({"status": "ok"})


@page(PUBLIC)
@never_cache
@_with_database
def readyz(request: HttpRequest) -> HttpResponse:
    """Tell that the database answers; 503 otherwise."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})


@page(PUBLIC)
@never_cache
@_with_database
def healthz(request: HttpRequest) -> HttpResponse:
    """Tell how old the oldest waiting things are: ``{"status", "late": [names], …figures}``.

    ``status`` is ``ok``, or ``late`` when something waits longer than it should or a lease has
    expired that nobody took over. The code stays 200: restarting the web process would not help.
    """
    vitals = read_vitals()
    late = _late(vitals)
    return JsonResponse({"status": "late" if late else "ok", "late": late, **_figures(vitals)})


@page(PUBLIC)
@never_cache
@_with_database
def metrics(request: HttpRequest) -> HttpResponse:
    """Tell the same figures in the text format of Prometheus."""
    lines = "\n".join(_exposed(_figures(read_vitals())))
    return HttpResponse(lines + "\n", content_type="text/plain; version=0.0.4; charset=utf-8")


def _figures(vitals: Vitals) -> dict[str, Any]:
    figures = asdict(vitals)
    seen, tick = figures.pop("worker_seen_at"), figures.pop("last_tick_at")
    now = clock.now()
    figures["worker_seen_s"] = (now - seen).total_seconds() if seen else None
    figures["last_tick_s"] = (now - tick).total_seconds() if tick else None
    return figures


def _late(vitals: Vitals) -> list[str]:
    late = [name for name, limit in LIMITS_S.items() if (getattr(vitals, name) or 0) > limit]
    return [*late, "expired_leases"] if vitals.expired_leases else late


def _exposed(figures: dict[str, Any]) -> Iterator[str]:
    for name, value in figures.items():
        unit = f"{name.removesuffix('_s')}_seconds" if name.endswith("_s") else name
        yield f"# TYPE leadsend_{unit} gauge"
        # Nothing waits: an age of nought, so that alarms compare numbers.
        yield f"leadsend_{unit} {0 if value is None else value}"
