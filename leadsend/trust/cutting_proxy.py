"""A proxy before PostgreSQL that cuts connections after a commit, before its answer arrives."""

from __future__ import annotations

import asyncio
import random
import re
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from devtools.ports import find_free

_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102
_WRITES: Final = re.compile(rb"\b(COMMIT|INSERT|UPDATE|DELETE|COPY)\b", re.IGNORECASE)
_IDLE: Final = b"I"


@dataclass
class CuttingProxy:
    """Listens on ``port``; cuts with ``chance`` after a write, while ``armed``, up to ``most`` times.

    The server has committed what is cut: the answer was held back, not the request.
    """

    target_port: int
    most: int
    chance: float
    seed: int = 1
    port: int = field(default_factory=find_free)
    cuts: int = 0
    cut_queries: dict[str, int] = field(default_factory=dict)
    armed: threading.Event = field(default_factory=threading.Event)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self) -> None:
        """Listen, from a thread of its own."""
        self._random = random.Random(self.seed)
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(timeout=10)

    def stop(self) -> None:
        """Close everything."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def wants_cut(self, query: bytes) -> bool:
        """Decide about one answer that is about to be passed on."""
        if not self.armed.is_set() or self.cuts >= self.most:
            return False
        if self._random.random() >= self.chance:
            return False
        self.cuts += 1
        name = _name_of(query)
        self.cut_queries[name] = self.cut_queries.get(name, 0) + 1
        return True

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _close(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
            talk = _Talk(self, reader, writer, up_reader, up_writer)
            try:
                await talk.run()
            finally:
                up_writer.close()
        writer.close()


class _Talk:
    """One client's conversation."""

    def __init__(
        self,
        proxy: CuttingProxy,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._client, self._to_client = client, to_client
        self._server, self._to_server = server, to_server
        self._query = b""

    async def run(self) -> None:
        if not await self._begin():
            return
        directions = [
            asyncio.create_task(self._pass_requests()),
            asyncio.create_task(self._pass_answers()),
        ]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in directions:
                one.cancel()
            await asyncio.gather(*directions, return_exceptions=True)

    async def _begin(self) -> bool:
        """Refuse encryption, pass the first message on; False for a request to cancel."""
        while True:
            head = await self._client.readexactly(8)
            length, code = struct.unpack("!II", head)
            if code in (_SSL, _GSS):
                self._to_client.write(b"N")
                continue
            rest = await self._client.readexactly(length - 8)
            self._to_server.write(head + rest)
            await self._to_server.drain()
            return bool(code != _CANCEL)

    async def _pass_requests(self) -> None:
        while True:
            kind, message = await _read(self._client)
            if kind in (b"Q", b"P"):
                self._query = message[5:400]
            self._to_server.write(message)
            await self._to_server.drain()

    async def _pass_answers(self) -> None:
        """Hold back what belongs to a finished statement until it is decided whether to cut."""
        held: list[bytes] = []
        while True:
            kind, message = await _read(self._server)
            held.append(message)
            if kind == b"Z":
                is_over = message[5:6] == _IDLE and _WRITES.search(self._query) is not None
                if is_over and self._proxy.wants_cut(self._query):
                    return
            if kind in (b"C", b"D") and len(held) < 1000:
                continue
            self._to_client.write(b"".join(held))
            held = []
            await self._to_client.drain()


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    (length,) = struct.unpack("!I", head[1:])
    return head[:1], head + await reader.readexactly(length - 4)


def _name_of(query: bytes) -> str:
    """Return the first words of a query, to count what was cut."""
    words = re.findall(rb"[A-Za-z_]+", query)
    wanted = (b"COMMIT", b"INSERT", b"UPDATE", b"DELETE", b"COPY")
    at = next((n for n, word in enumerate(words) if word.upper() in wanted), 0)
    return b" ".join(words[at : at + 3]).decode(errors="replace")[:60]
