"""Identifiers: UUIDs sortable by time, and those computed from what they stand for.

All are shaped as UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then version, variant
and 74 other bits. Where an id must come out the same for the same thing, those bits are a hash.
"""

from __future__ import annotations

import hashlib
import os
import time
from datetime import UTC, datetime
from uuid import UUID, SafeUUID, uuid5

# The namespace of idempotency keys; changing it would let every effect in flight happen twice.
_EFFECTS = UUID("6a3b2f1e-6d0c-5b8e-9d5e-4c2b7a1f0e9d")


def uuid7(at_ms: int | None = None) -> UUID:
    """Return a new random id of the moment ``at_ms`` (Unix milliseconds; None: now)."""
    moment = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    return _shape(moment, _random_bytes())


def execution_id(event: UUID, subscription: UUID, replay: int = 0) -> UUID:
    """Return the id that the execution of this event by this subscription always has.

    The event's time is kept, so the execution lands in the same month; ``replay`` counts from 0.
    """
    return _computed(event, b"execution", subscription.bytes, replay.to_bytes(4, "big"))


def called_execution_id(
    caller: UUID, step: str, item: str | None, attempt: int, at_ms: int
) -> UUID:
    """Return the id of the execution that this attempt of a step calls at this moment."""
    place = b"" if item is None else item.encode()
    found = _computed(caller, b"called", step.encode(), place, attempt.to_bytes(4, "big"))
    return UUID(int=(at_ms & ((1 << 48) - 1)) << 80 | found.int & ((1 << 80) - 1))


def step_row_id(execution: UUID, step: str, item: str | None, attempt: int) -> UUID:
    """Return the id that the row of this attempt always has; ``attempt`` counts from 1.

    ``item`` is the path of indices of a step in a loop ("3", nested "3.0.7"), None elsewhere.
    """
    place = b"" if item is None else item.encode()
    return _computed(execution, b"step", step.encode(), place, attempt.to_bytes(4, "big"))


def idempotency_key(execution: UUID, step: str, item: str | None = None, again: int = 0) -> UUID:
    """Return the key under which a step's effect is sent, the same for every attempt.

    ``again`` counts a person's "run again" of the step, the only thing that makes a new key.
    """
    return uuid5(_EFFECTS, f"{execution}/{step}/{item or ''}/{again}")


def time_ms(identifier: UUID) -> int:
    """Return the Unix milliseconds that an id carries."""
    return identifier.int >> 80


def time_of(identifier: UUID) -> datetime:
    """Return the moment that an id carries."""
    return datetime.fromtimestamp(time_ms(identifier) / 1000, tz=UTC)


def lowest_at(moment: datetime) -> UUID:
    """Return the smallest id of a moment, to bound partitions and reads by time."""
    return UUID(int=(int(moment.timestamp() * 1000) << 80))


# Asking the kernel costs more than all the rest of an id, so its answers are cut into many.
_RANDOM: list[bytes] = []
_AT_ONCE = 256
os.register_at_fork(after_in_child=_RANDOM.clear)


def _random_bytes() -> bytes:
    """Return 10 random bytes that nobody else gets: neither a thread nor a forked process."""
    while True:
        try:
            return _RANDOM.pop()
        except IndexError:
            block = os.urandom(10 * _AT_ONCE)
            _RANDOM.extend(block[at : at + 10] for at in range(0, len(block), 10))


def _computed(base: UUID, *parts: bytes) -> UUID:
    known = b"".join([len(part).to_bytes(4, "big") + part for part in (base.bytes, *parts)])
    return _shape(time_ms(base), hashlib.sha256(known).digest()[:10])


_TIME = (1 << 48) - 1
_VERSION_AND_VARIANT = 0x7 << 76 | 0b10 << 62
_MIDDLE = 0xFFF << 64  # the 12 bits between version and variant
_END = (1 << 62) - 1


def _shape(at_ms: int, rest: bytes) -> UUID:
    bits = int.from_bytes(rest, "big")
    value = (at_ms & _TIME) << 80 | _VERSION_AND_VARIANT | (bits << 2 & _MIDDLE) | bits & _END
    # What UUID(int=value) does without the checks, which cost more than the hash.
    made = object.__new__(UUID)
    object.__setattr__(made, "int", value)
    object.__setattr__(made, "is_safe", SafeUUID.unknown)
    return made
