"""``/livez /readyz /healthz /metrics``: is the process there, the database, does work go on.

They are open, as probes and scrapers carry no sign-in; they tell counts and ages only.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import wraps
from typing import Any

from django.conf import settings
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

# Housekeeping makes three ahead, once an hour.
FEWEST_MONTHS_AHEAD = 1
LEAST_DISK_FREE = 0.10

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

    ``status`` is ``ok``, or ``late`` when something waits longer than it should, a lease has expired
    that nobody took over, no month's tables are ready ahead, or a tenth of the disk is left. The code stays 200: restarting the web process would not help.
    """
    vitals = read_vitals()
    figures = _figures(vitals)
    late = _late(vitals, figures["disk_free_ratio"])
    return JsonResponse({"status": "late" if late else "ok", "late": late, **figures})


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
    figures["disk_free_ratio"] = _disk_free()
    return figures


def _late(vitals: Vitals, disk_free: float) -> list[str]:
    late = [name for name, limit in LIMITS_S.items() if (getattr(vitals, name) or 0) > limit]
    bad = {
        "expired_leases": bool(vitals.expired_leases),
        "months_ahead": vitals.months_ahead < FEWEST_MONTHS_AHEAD,
        "disk_free_ratio": disk_free < LEAST_DISK_FREE,
    }
    return [*late, *(name for name, is_bad in bad.items() if is_bad)]


def _disk_free() -> float:
    """Return which part of the disk of this machine's state folder is free."""
    folder = settings.STATE_DIR if settings.STATE_DIR.exists() else settings.BASE_DIR
    usage = shutil.disk_usage(folder)
    return round(usage.free / usage.total, 4)


def _exposed(figures: dict[str, Any]) -> Iterator[str]:
    for name, value in figures.items():
        unit = f"{name.removesuffix('_s')}_seconds" if name.endswith("_s") else name
        yield f"# TYPE leadsend_{unit} gauge"
        # Nothing waits: an age of nought, so that alarms compare numbers.
        yield f"leadsend_{unit} {0 if value is None else value}"
