"""Celery entry points of this app: one call each."""

from __future__ import annotations

from celery import shared_task

from runtime import queueing, recovery, retention, sweeping


@shared_task(name=queueing.WAKE_JOB)
def wake() -> None:
    """Ring the engine processes that this worker hosts."""
    queueing.engines.ring()


@shared_task(name="runtime.jobs.reap")
def reap() -> None:
    """Hand on what dead processes left; the engines do so by themselves as well."""
    recovery.reap()


@shared_task(name="runtime.jobs.prune")
def prune() -> None:
    """Make the next months' partitions, and delete what is past its time."""
    retention.ensure_partitions()
    retention.prune()
    sweeping.sweep()
