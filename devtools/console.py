"""What a person sees while `./dev` works: lines, colours, and steps with their seconds."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35", "cyan": "36"}
QUIET_TICK_S = 10.0
_write_lock = threading.Lock()


def say(text: str = "") -> None:
    """Write one line to standard output at once."""
    with _write_lock:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def complain(text: str) -> None:
    """Write one line to standard error at once."""
    with _write_lock:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def has_colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def paint(text: str, colour: str) -> str:
    return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if has_colours() else text


@contextmanager
def step(title: str) -> Iterator[None]:
    """Show that ``title`` is under way, with the seconds it has taken so far, until it is done.

    On a terminal one line is rewritten every second; elsewhere a line comes every ten seconds.
    """
    started = time.monotonic()
    over = threading.Event()
    ticker = threading.Thread(target=_tick, args=(title, started, over), daemon=True)
    ticker.start()
    try:
        yield
    except BaseException:
        _end(over, ticker)
        say(f"{title}: stopped after {time.monotonic() - started:.1f} s")
        raise
    _end(over, ticker)
    say(f"{title}: {time.monotonic() - started:.1f} s")


def _tick(title: str, started: float, over: threading.Event) -> None:
    on_terminal = sys.stdout.isatty()
    if not on_terminal:
        say(f"{title} …")
    while not over.wait(1.0 if on_terminal else QUIET_TICK_S):
        elapsed = f"{title} … {time.monotonic() - started:.0f} s"
        if on_terminal:
            _rewrite(elapsed)
        else:
            say(elapsed)


def _end(over: threading.Event, ticker: threading.Thread) -> None:
    over.set()
    ticker.join()
    if sys.stdout.isatty():
        _rewrite("")


def _rewrite(text: str) -> None:
    with _write_lock:
        sys.stdout.write(f"\r\x1b[K{text}")
        sys.stdout.flush()
