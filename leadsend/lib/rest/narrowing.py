"""Narrows rows as a list of the API does, by names and values that came in a body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from leadsend.lib.errors import InvalidInput, Problem


def narrowed(kind: Any, rows: Any, wanted: Mapping[str, Any], *, request: Any = None) -> Any:
    """Return the rows that fit; ``kind`` is the list's FilterSet.

    A name that the list does not know is refused, never ignored. Raises InvalidInput.
    """
    found = kind(_query(wanted), rows, request=request)
    names = set(found.filters)
    problems = [
        Problem(code="unknown", message="There is no filter of this name.", path=f"/filter/{name}")
        for name in wanted
        if name not in names
    ]
    if not problems and not found.is_valid():
        problems = [
            Problem(code="invalid", message=str(text), path=f"/filter/{name}")
            for name, texts in found.errors.items()
            for text in texts
        ]
    if problems:
        raise InvalidInput("The filter cannot be read.", problems=problems)
    return found.qs


def _query(wanted: Mapping[str, Any]) -> QueryDict:
    query = QueryDict(mutable=True)
    for name, value in wanted.items():
        values = value if isinstance(value, list) else [value]
        query.setlist(name, ["" if one is None else _text(one) for one in values])
    return query


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
