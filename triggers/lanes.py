"""Places in the inbox: each source has a lane of its own, so that none has to wait behind another.

The id of an inbox row begins with 15 bits of its source and goes on with the event's time. One index
so serves both: the order within a lane, and the way from lane to lane. Rows that are written with a
plain UUIDv7 (schedules, table changes) share the lane that its first bits make.
"""

from __future__ import annotations

import zlib
from typing import Final
from uuid import UUID

_LANES: Final = 0x7FFF
_TIME: Final = (1 << 48) - 1
_REST: Final = (1 << 64) - 1


def place(event_id: UUID, source: str) -> UUID:
    """Return the id that the inbox row of an event always has."""
    number = event_id.int
    lane = zlib.crc32(source.encode()) & _LANES
    return UUID(int=(lane << 112) | ((number >> 80 & _TIME) << 64) | (number & _REST))


def lane_start(place_id: UUID) -> UUID:
    """Return the lowest place of the lane that a place lies in."""
    return UUID(int=place_id.int >> 112 << 112)
