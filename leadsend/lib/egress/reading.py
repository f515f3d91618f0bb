"""Reads an answer without trusting its sizes: what unpacks to too much is cut off."""

from __future__ import annotations

import zlib

from aiohttp import ClientResponse

from leadsend.lib.egress.urls import LARGEST_HEADERS_BYTES
from leadsend.lib.errors import PermanentError

LARGEST_BODY_BYTES = 10 * 1024 * 1024
_STEP_BYTES = 256 * 1024


class Unpacker:
    """Collects a body, unpacking gzip and deflate in bounded steps.

    Raises PermanentError (``response_too_large``, ``response_unreadable``).
    """

    def __init__(self, encoding: str, limit: int) -> None:
        self._unpack = _decompressor(encoding.strip().lower())
        self._body = bytearray()
        self._limit = limit

    def add(self, chunk: bytes) -> None:
        """Take the next bytes from the wire."""
        if self._unpack is None:
            self._keep(chunk)
            return
        while chunk and not self._unpack.eof:
            try:
                self._keep(self._unpack.decompress(chunk, _STEP_BYTES))
            except zlib.error as error:
                raise _unreadable("is not packed as it says") from error
            chunk = self._unpack.unconsumed_tail

    def finish(self) -> bytes:
        """Return the whole body."""
        if self._unpack is not None and self._body and not self._unpack.eof:
            raise _unreadable("ends in the middle")
        return bytes(self._body)

    def _keep(self, data: bytes) -> None:
        if len(self._body) + len(data) > self._limit:
            raise PermanentError(
                f"The answer is larger than {self._limit // (1024 * 1024)} MiB. "
                "Ask the service for less at a time.",
                code="response_too_large",
            )
        self._body += data


async def read_body(response: ClientResponse, limit: int = LARGEST_BODY_BYTES) -> bytes:
    """Return the unpacked body of at most ``limit`` bytes. Raises PermanentError beyond it."""
    if sum(len(name) + len(value) + 4 for name, value in response.raw_headers) > (
        LARGEST_HEADERS_BYTES
    ):
        raise PermanentError(
            "The headers of the answer are larger than 64 kB.", code="response_too_large"
        )
    unpacker = Unpacker(response.headers.get("Content-Encoding", ""), limit)
    async for chunk in response.content.iter_any():
        unpacker.add(chunk)
    return unpacker.finish()


def _decompressor(encoding: str) -> zlib._Decompress | None:
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip", "deflate"):
        # 32: recognises both kinds of header, zlib's and gzip's.
        return zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)
    raise _unreadable(f"is packed as {encoding[:40]!r}, which was not asked for")


def _unreadable(what: str) -> PermanentError:
    return PermanentError(f"The answer {what}.", code="response_unreadable")
