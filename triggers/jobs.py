"""What beat asks for: the pump."""

from __future__ import annotations

import asyncio
import logging

import psycopg
from celery import shared_task

from triggers import pumping
from triggers.beat import PUMP_JOB

log = logging.getLogger(__name__)


@shared_task(name=PUMP_JOB, ignore_result=True)
def pump() -> None:
    """Look once for what is due; the engines do the same, so a failure waits for the next one."""
    try:
        asyncio.run(pumping.pump_once())
    except psycopg.OperationalError as error:
        log.warning("pump: the database is away", extra={"error": str(error)})
