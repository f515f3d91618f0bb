"""Pages of long lists, newest first, by the last id seen: page 1,000 costs what page 1 does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import QueryDict

PAGE_SIZE = 50

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysetPage(Generic[Row]):
    """``older`` and ``newest`` are query strings of the pages to go to, "" where there is none."""

    rows: list[Row]
    older: str = ""
    newest: str = ""


def keyset_page(
    rows: QuerySet[Row, Row], params: QueryDict, *, size: int = PAGE_SIZE
) -> KeysetPage[Row]:
    """Return one page of rows with time-ordered ids; ``?before=<id>`` says where it begins."""
    before = _uuid(params.get("before", ""))
    ordered = rows.order_by("-pk")
    if before is not None:
        ordered = ordered.filter(pk__lt=before)
    found = list(ordered[: size + 1])
    shown = found[:size]
    has_older = len(found) > size
    return KeysetPage(
        rows=shown,
        older=_query(params, before=str(shown[-1].pk)) if has_older else "",
        newest=_query(params) or "?" if before is not None else "",
    )


def _query(params: QueryDict, **changed: str) -> str:
    copy: Any = params.copy()
    copy.pop("before", None)
    for name, value in changed.items():
        copy[name] = value
    encoded: str = copy.urlencode()
    return f"?{encoded}" if encoded else ""


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
