"""A small client that posts signed webhooks over kept connections as fast as it is answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from leadsend.lib import clock, ids
from triggers.signatures import sign

_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Where the load goes."""

    port: int
    token: str
    secret: str
    body: bytes


@dataclass(slots=True)
class Seen:
    """What came back; ``latencies_s`` of the accepted ones."""

    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)

    def percentile_ms(self, percent: int) -> float:
        """Return the latency that this share stays below, in milliseconds."""
        ordered = sorted(self.latencies_s)
        if not ordered:
            return 0.0
        return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000, 2)


def prepare(load: Load, count: int) -> list[bytes]:
    """Return so many requests, signed now: signing must not slow down what is measured."""
    return list(islice(_requests(load), count))


async def send_for(load: Load, *, seconds: float, connections: int) -> Seen:
    """Send from so many connections at once, one request after the other on each."""
    return await _send_all(load.port, _until(_requests(load), seconds), connections)


async def send_prepared(port: int, requests: list[bytes], *, connections: int) -> Seen:
    """Send all these requests, one after the other on each of so many connections."""
    return await _send_all(port, iter(requests), connections)


async def send_steadily(port: int, requests: list[bytes], *, per_second: float) -> Seen:
    """Send these requests at a steady rate, each as soon as it is its turn; none waits for another."""
    seen, began = Seen(), clock.monotonic()
    senders: list[Sender] = []
    for number, request in enumerate(requests):
        await asyncio.sleep(max(0.0, began + number / per_second - clock.monotonic()))
        free = next((sender for sender in senders if sender.is_free), None)
        if free is None:
            free = await _connected(port, None, seen)
            senders.append(free)
        free.send(request)
    for sender in senders:
        sender.finish()
    await asyncio.gather(*(sender.done for sender in senders))
    seen.seconds = clock.monotonic() - began
    return seen


async def _send_all(port: int, requests: Iterator[bytes], connections: int) -> Seen:
    seen = Seen()
    senders = [await _connected(port, requests, seen) for _ in range(connections)]
    began = clock.monotonic()
    for sender in senders:
        sender.go_on()
    await asyncio.gather(*(sender.done for sender in senders))
    seen.seconds = clock.monotonic() - began
    return seen


async def _connected(port: int, requests: Iterator[bytes] | None, seen: Seen) -> Sender:
    loop = asyncio.get_running_loop()
    sender = Sender(requests, seen, loop.create_future())
    await loop.create_connection(lambda: sender, "127.0.0.1", port)
    return sender


class Sender(asyncio.Protocol):
    """One connection: the next request goes out when the last one is answered.

    Without ``requests`` it sends what it is given, and is free in between.
    """

    def __init__(
        self, requests: Iterator[bytes] | None, seen: Seen, done: asyncio.Future[None]
    ) -> None:
        self.done = done
        self.is_free = True
        self._requests, self._seen = requests, seen
        self._buffer = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = transport  # type: ignore[assignment]  # of a TCP connection

    def connection_lost(self, exc: Exception | None) -> None:
        """End; what was not answered counts as refused."""
        if not self.is_free:
            self._seen.refused += 1
        if not self.done.done():
            self.done.set_result(None)

    def go_on(self) -> None:
        """Send the next request, or close when there is none."""
        request = next(self._requests, None) if self._requests is not None else None
        if request is None:
            self.close()
        else:
            self.send(request)

    def send(self, request: bytes) -> None:
        """Send one request."""
        self.is_free, self._sent_at = False, clock.monotonic()
        if self._transport is not None:
            self._transport.write(request)

    def finish(self) -> None:
        """Close once the answer that is waited for has come."""
        self._requests = iter(())
        if self.is_free:
            self.close()

    def close(self) -> None:
        """Send nothing more."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Take in an answer; the next request follows a whole one."""
        self._buffer += data
        end = self._buffer.find(_END)
        if end < 0 or len(self._buffer) < end + len(_END) + _length(self._buffer[:end]):
            return
        if self._buffer[9:12] == b"202":
            self._seen.accepted += 1
            self._seen.latencies_s.append(clock.monotonic() - self._sent_at)
        else:
            self._seen.refused += 1
        self._buffer, self.is_free = b"", True
        if self._requests is not None:
            self.go_on()


def _until(requests: Iterator[bytes], seconds: float) -> Iterator[bytes]:
    end = clock.monotonic() + seconds
    while clock.monotonic() < end:
        yield next(requests)


def _requests(load: Load) -> Iterator[bytes]:
    while True:
        message_id = ids.uuid7().hex
        timestamp = int(time.time())
        signature = sign(load.secret, message_id=message_id, timestamp=timestamp, body=load.body)
        head = (
            f"POST /hooks/{load.token} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"content-type: application/json\r\ncontent-length: {len(load.body)}\r\n"
            f"webhook-id: {message_id}\r\nwebhook-timestamp: {timestamp}\r\n"
            f"webhook-signature: {signature}\r\n\r\n"
        )
        yield head.encode() + load.body


def _length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(b"content-length:")
    return int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
