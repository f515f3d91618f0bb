"""Names that were probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean “x”?" for the nearest known name, or "" when none is near."""
    found = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean “{found[0]}”?" if found else ""
