"""Runs what is pending inside the calling process, for commands that cannot rely on a worker."""

from __future__ import annotations

from runtime.draining import Engine, Options, run_until_idle
from triggers.dispatch import dispatch_batch


def play_to_the_end() -> int:
    """Dispatch and run until nothing more can be done now; return how many passes that took.

    The same engine as a worker's, beside which it may run. Effects really happen; blocks until
    they have answered.
    """
    engine = Engine(Options(before_pass=(dispatch_batch,)))
    engine.leases.start()
    try:
        return run_until_idle(engine)
    finally:
        engine.close()
