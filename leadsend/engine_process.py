"""One engine process: ``python -m leadsend.engine_process [WORKER ID]``.

It runs until its standard input ends (whoever started it is gone) or SIGTERM comes; then it takes
nothing new, finishes what is under way for up to 25 s and gives the rest back. Every byte on its
standard input wakes it up.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "leadsend.settings")
django.setup()

from django.conf import settings  # noqa: E402 - models can be imported only after setup()
from django.db import Error as DjangoDatabaseError  # noqa: E402
from django.db import connection as django_connection  # noqa: E402
from psycopg import Error as DatabaseError  # noqa: E402

from leadsend.housekeeping import keep_house  # noqa: E402
from leadsend.lib.ids import uuid7  # noqa: E402
from leadsend.lib.mail import TEMPLATES  # noqa: E402
from leadsend.lib.mail import render as render_mail  # noqa: E402
from leadsend.lib.postgres import connect  # noqa: E402
from registry.catalog import catalog  # noqa: E402
from runtime import bulk_working, live, recovery, spans  # noqa: E402
from runtime.draining import Engine, Options  # noqa: E402
from runtime.engine.transitions import EXECUTION_FINAL  # noqa: E402
from runtime.listening import Listener  # noqa: E402
from runtime.recording import Recorded  # noqa: E402
from triggers import group_commit, pumping, replay_jobs  # noqa: E402
from triggers.dispatch import take  # noqa: E402
from workflows.definition.expressions.text import compile_text  # noqa: E402

log = logging.getLogger(__name__)

GRACE_S: Final = 25.0
_PUMP_S: Final = 1.0
_BULK_S: Final = 1.0
_MOST_BULK: Final = 200
_LONGEST_PAUSE_S: Final = 5.0


def main(arguments: Sequence[str]) -> None:
    """Run one engine until it is told to stop."""
    warm_up()
    engine = make_engine(UUID(arguments[0]) if arguments else uuid7())
    signal.signal(signal.SIGTERM, lambda *_: engine.stop_claiming())
    # Ctrl+C reaches the whole group; the host decides when its engines end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listener = Listener(connect=partial(connect, "leadsend wake", direct=True), ring=engine.ring)
    for run in (partial(read_bell, engine), partial(pump, engine), reap, work_off, keep_house):
        threading.Thread(target=run, daemon=True).start()
    engine.leases.start()
    listener.start()
    log.info("engine started", extra={"worker": str(engine.worker_id), "pid": os.getpid()})
    engine.run(grace_s=GRACE_S)
    engine.close()
    log.info("engine stopped", extra={"worker": str(engine.worker_id), "pid": os.getpid()})
    # Threads may wait for a database or a mail server; all that counts is given back by now.
    logging.shutdown()
    os._exit(0)


def make_engine(worker_id: UUID) -> Engine:
    """Return an engine as this installation is set up."""
    options = Options(
        lease_s=float(settings.LEADSEND_LEASE_S),
        take=take,
        after_commit=[tell_pages, *spans.tellers()],
    )
    return Engine(options, worker_id=worker_id)


def warm_up() -> None:
    """Load what is costly the first time, so that no execution waits a second for it."""
    compile_text("{{ event.email }}")
    render_mail(TEMPLATES[0], {})
    catalog()
    tame_garbage_collection()


def tame_garbage_collection() -> None:
    """Look for cycles rarely: a batch makes thousands of objects, and all die by themselves.

    What is loaded by now stays for good, so it is not looked through again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def tell_pages(said: Sequence[Recorded]) -> None:
    """Tell open pages what was recorded."""
    live.publish_now(_changes(said))


def _changes(said: Sequence[Recorded]) -> Iterator[live.Change]:
    """Leave out most of what came and went in one commit: nobody can have been looking at it."""
    new = 0
    for one in said:
        is_new = one.is_started and one.status in EXECUTION_FINAL
        new += is_new
        if new <= live.MOST_AT_HOME or not is_new:
            yield live.Change(
                execution_id=one.execution_id,
                project_id=one.project_id,
                workflow_id=one.workflow_id,
                status=one.status,
                is_new=is_new,
            )


def read_bell(engine: Engine) -> None:
    """Ring the engine for every byte that arrives, and stop it when there will be no more."""
    while os.read(sys.stdin.fileno(), 4096):
        engine.ring()
    engine.stop_claiming()


def pump(engine: Engine) -> None:
    """Look for due schedules and table changes once a second, on one connection."""
    asyncio.run(_pump_on(engine.ring))


async def _pump_on(ring: Callable[[], None]) -> None:
    pause_s = _PUMP_S
    while True:
        try:
            async with await group_commit.connect() as connection:
                while True:
                    count = await pumping.pump(connection)
                    pause_s = _PUMP_S
                    if count:
                        ring()
                    else:
                        await asyncio.sleep(_PUMP_S)
        except (DatabaseError, DjangoDatabaseError, OSError) as error:
            log.warning("pump failed", extra={"error": str(error)[:200]})
        except Exception:
            log.exception("pump failed")
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


def work_off() -> None:
    """Work bulk jobs off: once a second while there is one, else look every few seconds."""
    never = threading.Event()
    while not never.wait(do_bulk()):
        pass


def do_bulk() -> float:
    """Do what bulk jobs may do now; return the seconds to wait before the next look."""
    try:
        count = 0
        for work in (bulk_working.work, replay_jobs.work):
            while count < _MOST_BULK and (batch := work()):
                count += batch
    except DjangoDatabaseError as error:
        log.warning("bulk job failed", extra={"error": str(error)[:200]})
    except Exception:
        log.exception("bulk job failed")
    else:
        return _BULK_S if count else _LONGEST_PAUSE_S
    finally:
        django_connection.close()
    return _LONGEST_PAUSE_S


def reap() -> None:
    """Take over from dead processes at once, and then every few seconds."""
    pause_s = min(5.0, settings.LEADSEND_LEASE_S / 2)
    while True:
        reap_once()
        time.sleep(pause_s)


def reap_once() -> None:
    """Take over from dead processes; whatever goes wrong is logged."""
    try:
        recovery.reap()
    except DjangoDatabaseError as error:
        log.warning("reaper failed", extra={"error": str(error)[:200]})
    except Exception:
        log.exception("reaper failed")
    finally:
        django_connection.close()


if __name__ == "__main__":
    main(sys.argv[1:])
