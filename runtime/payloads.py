"""Large values in the object storage: sealed, named by their hash, written before their row.

An object's key is ``payloads/{day}/{project}/{sha256}``. A key is written on its day only, so
whoever sweeps a day that is over cannot meet a writer. One that belongs to a commit which was
rolled back is harmless and is swept later.
"""

from __future__ import annotations

import logging
import threading
import zlib
from collections import OrderedDict
from collections.abc import Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import orjson

from credentials import vault
from leadsend.lib import clock, objects
from leadsend.lib.errors import ConfigurationError, LeadSendError, NotFound, Unavailable
from leadsend.lib.payloads import Oversized, Reference, encode, told_size

log = logging.getLogger(__name__)

FOLDER: Final = "payloads"
# What an engine's loop waits for the storage at most; what comes later is there for the next try.
PATIENCE_S: Final = 2.0
Place = tuple[UUID, Reference]  # (project, where its value lies)
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_MOST_KEPT_BYTES: Final = 64 * 1024 * 1024
_MOST_PLACED: Final = 4096


class LostPayload(LeadSendError):
    """The object is gone or damaged: the row that names it cannot be read any more."""

    code = "payload_lost"


class NotPlaced(Exception):
    """A large value has to be in the storage before its row can be written."""


class _Storage:
    """What this process knows: whether the storage answers, what lies there, what came from it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pool = ThreadPoolExecutor(4, thread_name_prefix="payloads")
        self.away_until = 0.0
        self.pause_s = 0.0
        self.placed: OrderedDict[tuple[UUID, str], Reference] = OrderedDict()
        self.fetched: OrderedDict[Place, bytes] = OrderedDict()
        self.under_way: dict[Place, Future[bytes]] = {}

    def check(self) -> None:
        """Raise Unavailable while it is known to be away, so that nobody waits in vain."""
        if clock.monotonic() < self.away_until:
            raise Unavailable("The object storage is away: send it again in a while.")

    def failed(self) -> None:
        with self.lock:
            self.pause_s = min(max(self.pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            self.away_until = clock.monotonic() + self.pause_s

    def answered(self) -> None:
        self.pause_s = self.away_until = 0.0

    def keep(self, place: Place, data: bytes) -> None:
        with self.lock:
            self.fetched[place] = data
            while sum(map(len, self.fetched.values())) > _MOST_KEPT_BYTES:
                self.fetched.popitem(last=False)

    def note(self, project_id: UUID, reference: Reference) -> None:
        with self.lock:
            self.placed[project_id, reference.sha256] = reference
            while len(self.placed) > _MOST_PLACED:
                self.placed.popitem(last=False)


_storage = _Storage()


def key_of(reference: Reference, project_id: UUID) -> str:
    """Return the object's key."""
    return f"{FOLDER}/{reference.day}/{project_id}/{reference.sha256}"


def put(data: bytes, *, project_id: UUID) -> Reference:
    """Keep the JSON of a large value; it lasts when this returns. Blocks; raises Unavailable."""
    return write(*sealed(data, project_id=project_id), project_id=project_id)


def sealed(data: bytes, *, project_id: UUID) -> tuple[Reference, bytes]:
    """Return where the value will lie, and its ciphertext; a value is held once here."""
    digest = sha256(data).hexdigest()
    reference = Reference(f"{clock.now():%Y-%m-%d}", digest, len(data))
    packed = zlib.compress(data, 1)
    return reference, vault.seal_bytes(packed, owner_id=project_id, field=digest)


def write(reference: Reference, ciphertext: bytes, *, project_id: UUID) -> Reference:
    """Write what ``sealed`` made. Blocks; raises Unavailable."""
    _storage.check()
    try:
        objects.put(key_of(reference, project_id), ciphertext)
    except Unavailable:
        _storage.failed()
        raise
    _storage.answered()
    _storage.note(project_id, reference)
    return reference


def get(reference: Reference, *, project_id: UUID) -> bytes:
    """Return the JSON of a large value. Blocks; raises Unavailable, LostPayload."""
    found = _storage.fetched.get((project_id, reference))
    if found is not None:
        return found
    _storage.check()
    try:
        ciphertext = objects.get(key_of(reference, project_id))
    except Unavailable:
        _storage.failed()
        raise
    except NotFound as error:
        raise _lost(reference, "it is not there") from error
    _storage.answered()
    data = _opened(ciphertext, reference, project_id)
    _storage.keep((project_id, reference), data)
    return data


def whole(value: Any, *, project_id: UUID) -> Any:
    """Return a column's value, from the storage where it lies there. Raises as ``get`` does."""
    if not isinstance(value, Reference):
        return value
    return orjson.loads(get(value, project_id=project_id))


def offloaded(value: Any, *, project_id: UUID) -> Any:
    """Return the value if a row may hold it, else put it into the storage and return where it is.

    Blocks only for large ones; raises Unavailable when the storage is away.
    """
    try:
        encode(value)
    except Oversized as large:
        return put(large.data, project_id=project_id)
    except TypeError:
        return value  # Whoever writes it knows how to.
    return value


def fetch(places: Iterable[Place]) -> dict[Place, bytes | LeadSendError]:
    """Return what lies at these places, or why it could not be had; waits PATIENCE_S in all.

    What does not come in time is Unavailable now, and remembered when it comes.
    """
    wanted = {place: _begin(place) for place in places}
    wait(wanted.values(), timeout=PATIENCE_S)
    return {place: _outcome(future) for place, future in wanted.items()}


def place(values: Collection[tuple[UUID, bytes]]) -> LeadSendError | None:
    """Put JSON of projects into the storage, PATIENCE_S in all; return what went wrong, if it did.

    Afterwards ``placed`` knows where each of them lies.
    """
    futures = [_storage.pool.submit(put, data, project_id=project) for project, data in values]
    wait(futures, timeout=PATIENCE_S)
    for future in futures:
        outcome = _outcome(future)
        if isinstance(outcome, LeadSendError):
            return outcome
    return None


def placed(data: bytes, *, project_id: UUID) -> Reference:
    """Return where this value was put today. Raises NotPlaced."""
    reference = _storage.placed.get((project_id, sha256(data).hexdigest()))
    if reference is None or reference.day != f"{clock.now():%Y-%m-%d}":
        raise NotPlaced
    return reference


def forget() -> None:
    """Know nothing any more; for tests."""
    _storage.answered()
    _storage.placed.clear()
    _storage.fetched.clear()


def _begin(place: Place) -> Future[bytes]:
    project_id, reference = place
    with _storage.lock:
        known = _storage.under_way.get(place)
        if known is not None and not known.done():
            return known
        future = _storage.pool.submit(get, reference, project_id=project_id)
        _storage.under_way[place] = future
    future.add_done_callback(lambda _: _storage.under_way.pop(place, None))
    return future


def _outcome(future: Future[Any]) -> Any:
    if not future.done():
        return Unavailable("The object storage is slow.")
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, LeadSendError):
        return error
    raise error


def _opened(ciphertext: bytes, reference: Reference, project_id: UUID) -> bytes:
    try:
        packed = vault.unseal_bytes(ciphertext, owner_id=project_id, field=reference.sha256)
        data = zlib.decompress(packed)
    except ConfigurationError as error:
        raise _lost(reference, error.message) from error
    except zlib.error as error:
        raise _lost(reference, "it is damaged") from error
    if sha256(data).hexdigest() != reference.sha256:
        raise _lost(reference, "it is damaged")
    return data


def _lost(reference: Reference, reason: str) -> LostPayload:
    return LostPayload(
        f"A value of {told_size(reference.size_bytes)} lies in the object storage and cannot be "
        f"read ({reason}): bring back {FOLDER}/{reference.day}/…/{reference.sha256}."
    )
