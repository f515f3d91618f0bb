"""A small client that posts signed webhooks over kept connections as fast as it is answered."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from leadsend.lib import clock, ids
from triggers.signatures import sign


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


async def send_for(load: Load, *, seconds: float, connections: int) -> Seen:
    """Send from so many connections at once, one request after the other on each."""
    seen = Seen()
    began = clock.monotonic()
    end = began + seconds
    await asyncio.gather(*(_send(load, seen, end) for _ in range(connections)))
    seen.seconds = clock.monotonic() - began
    return seen


async def _send(load: Load, seen: Seen, end: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
    try:
        while clock.monotonic() < end:
            sent_at = clock.monotonic()
            writer.write(_request(load))
            status = await _status(reader)
            if status == 202:
                seen.accepted += 1
                seen.latencies_s.append(clock.monotonic() - sent_at)
            else:
                seen.refused += 1
    finally:
        writer.close()


def _request(load: Load) -> bytes:
    message_id = ids.uuid7().hex
    timestamp = int(time.time())
    signature = sign(load.secret, message_id=message_id, timestamp=timestamp, body=load.body)
    head = (
        f"POST /hooks/{load.token} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        f"content-type: application/json\r\ncontent-length: {len(load.body)}\r\n"
        f"webhook-id: {message_id}\r\nwebhook-timestamp: {timestamp}\r\n"
        f"webhook-signature: {signature}\r\n\r\n"
    )
    return head.encode() + load.body


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    await reader.readexactly(length)
    return int(head[9:12])
