"""Another system that answers every request at once, in a process of its own.

``python -m leadsend.bench.sink`` prints its port and serves until its standard input ends. It knows
as much of HTTP as the engine's client needs, so that it is never what a benchmark waits for.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_ANSWER = (
    b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{"ok":true}'
)
_END = b"\r\n\r\n"


class Sink(asyncio.Protocol):
    """One connection: an answer for each request whose body has arrived."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        self._buffer += data
        while (end := self._buffer.find(_END)) >= 0:
            length = _length(self._buffer[:end])
            if len(self._buffer) < end + len(_END) + length:
                return
            self._buffer = self._buffer[end + len(_END) + length :]
            self._transport.write(_ANSWER)  # type: ignore[attr-defined]  # of a TCP connection


@contextmanager
def running_sink() -> Iterator[str]:
    """Run a sink beside this process; yield its address."""
    command = [sys.executable, "-m", "leadsend.bench.sink"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("The sink has no pipes.")
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/lead"
        finally:
            process.stdin.close()


def _length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
