"""Lets a process end when it is told to, also where its own handler's exception gets lost.

Celery's beat ends by raising SystemExit out of its signal handler. While it publishes, the libraries
under it turn that into a failure to publish: beat logs it and goes on for good.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Final

GRACE_S: Final = 5.0
_NUMBERS: Final = (signal.SIGTERM, signal.SIGINT)


def end_for_sure(*, grace_s: float = GRACE_S) -> None:
    """End the process so long after a signal, if the handler that is installed now has not.

    For processes that hold nothing which could be lost.
    """
    for number in _NUMBERS:
        _guard(number, grace_s)


def _guard(number: signal.Signals, grace_s: float) -> None:
    before = signal.getsignal(number)

    def handle(signum: int, frame: FrameType | None) -> None:
        last = threading.Timer(grace_s, os._exit, [0])
        last.daemon = True
        last.start()
        if callable(before):
            before(signum, frame)

    signal.signal(number, handle)
