"""Readable ids for steps, triggers and variables, unique in their document."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MAX_LENGTH = 63
PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
# Words of the expression language: `steps.in.output` could never be read.
RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "namespace",
        "null",
        "package",
        "return",
        "true",
        "var",
        "void",
        "while",
    ]
)


def slug_of(text: str, *, fallback: str) -> str:
    """Return a slug made of the text's letters and digits, or ``fallback`` where there are none."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:MAX_LENGTH].rstrip("_")
    if not slug:
        return fallback
    if slug[0].isdigit() or slug in RESERVED:
        return f"{fallback}_{slug}"[:MAX_LENGTH].rstrip("_")
    return slug


def unique(slug: str, taken: Iterable[str]) -> str:
    """Return the slug, or the slug with the first number (from 2) that makes it new."""
    known = set(taken)
    if slug not in known:
        return slug
    number = 2
    while (candidate := f"{slug[: MAX_LENGTH - len(str(number)) - 1]}_{number}") in known:
        number += 1
    return candidate
