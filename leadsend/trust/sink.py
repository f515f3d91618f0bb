"""The other side of all effects: counts every arrival, and can be in a bad mood."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

RETRY_AFTER_S = 3.0
# Longer than the callers wait.
HANG_S = 7.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moods:
    """The share of arrivals (0 to 1) that get each bad answer; the rest is answered well.

    ``busy``: 503. ``limited``: 429 with Retry-After. ``hangs``: the effect happens, the answer
    never comes. ``loses``: the effect happens, the connection is cut in place of an answer.
    """

    busy: float = 0.0
    limited: float = 0.0
    hangs: float = 0.0
    loses: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request: ``at`` is monotonic seconds; ``said`` one of ok busy limited hangs loses."""

    at: float
    path: str
    lead: str
    key: str
    said: str

    @property
    def is_effect(self) -> bool:
        """Say whether it did something here."""
        return self.said in ("ok", "hangs", "loses")


@dataclass
class Sink:
    """All arrivals, in order."""

    moods: Moods
    seed: int
    port: int = 0
    arrivals: list[Arrival] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def url(self, path: str) -> str:
        """Return the address under which arrivals are counted as ``path``."""
        return f"http://127.0.0.1:{self.port}/{path}"

    def take(self, path: str, lead: str, key: str) -> str:
        """Note one arrival; return how it is answered."""
        with self.lock:
            said = self._mood()
            self.arrivals.append(
                Arrival(at=time.monotonic(), path=path, lead=lead, key=key, said=said)
            )
            return said

    def keys_of(self, path: str) -> dict[str, set[str]]:
        """Return, of each lead with an effect under ``path``, the keys it came with."""
        found: dict[str, set[str]] = defaultdict(set)
        for arrival in self._copy():
            if arrival.path == path and arrival.is_effect:
                found[arrival.lead].add(arrival.key)
        return found

    def hits_of(self, path: str) -> Counter[str]:
        """Return how often each key had an effect under ``path``."""
        return Counter(a.key for a in self._copy() if a.path == path and a.is_effect)

    def answers_lost(self, path: str) -> set[str]:
        """Return the keys whose effect happened under ``path`` without an answer."""
        return {a.key for a in self._copy() if a.path == path and a.said in ("hangs", "loses")}

    def too_early(self) -> list[tuple[str, float]]:
        """Return key and moment of each arrival before the Retry-After of the one before.

        Moments are monotonic seconds.
        """
        told: dict[str, float] = {}
        early = []
        for arrival in self._copy():
            # The answer leaves a moment after it is noted, so this is never too strict.
            until = told.pop(arrival.key, 0.0)
            if arrival.at < until:
                early.append((arrival.key, arrival.at))
            if arrival.said == "limited":
                told[arrival.key] = arrival.at + RETRY_AFTER_S
        return early

    def longest_silence(self, since: float, until: float) -> tuple[float, float]:
        """Return begin and end of the longest time without an effect between two moments.

        All are monotonic seconds.
        """
        inside = [a.at for a in self._copy() if a.is_effect and since <= a.at <= until]
        moments = [since, *inside, until]
        return max(pairwise(moments), key=lambda pair: pair[1] - pair[0])

    def _copy(self) -> list[Arrival]:
        with self.lock:
            return list(self.arrivals)

    def _mood(self) -> str:
        drawn = self.chance.random()
        for said in ("busy", "limited", "hangs", "loses"):
            share: float = getattr(self.moods, said)
            if drawn < share:
                return said
            drawn -= share
        return "ok"


@contextmanager
def running_sink(moods: Moods | None = None, *, seed: int = 1) -> Iterator[Sink]:
    """Serve a sink on a free loopback port."""
    sink = Sink(moods or Moods(), seed)
    server = _Server(("127.0.0.1", 0), _handler(sink))
    sink.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(sink: Sink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body leave in one packet.
        wbufsize = -1

        def do_POST(self) -> None:
            """Answer as the sink's mood is."""
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            lead, key = self.headers.get("X-Lead", ""), self.headers.get("Idempotency-Key", "")
            said = sink.take(self.path.strip("/"), lead, key)
            if said in ("hangs", "loses"):
                time.sleep(HANG_S if said == "hangs" else 0)
                self.close_connection = True
                return
            status = {"ok": 200, "busy": 503, "limited": 429}[said]
            self.send_response(status)
            if said == "limited":
                self.send_header("Retry-After", str(int(RETRY_AFTER_S)))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_arguments: Any) -> None:
            """Stay silent."""

    return Handler


class _Server(ThreadingHTTPServer):
    """Callers that are killed in the middle of a call are what it is for."""

    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that was cut."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
