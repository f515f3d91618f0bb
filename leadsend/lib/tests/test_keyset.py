"""Pages of long lists."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.http import QueryDict

from leadsend.access.models import Project
from leadsend.lib.keyset import keyset_page


@pytest.fixture
def rows(db):
    for number in range(1, 6):
        Project.objects.create(id=UUID(int=number), name="P", slug=f"p{number}")
    return Project.objects.all()


def _page(rows: Any, query: str) -> Any:
    return keyset_page(rows, QueryDict(query), size=2)


def test_pages_follow_each_other_without_gap_or_overlap(rows):
    query, seen = "q=a", []
    while query:
        page = _page(rows, query)
        seen += [row.pk.int for row in page.rows]
        query = page.older.lstrip("?")

    assert seen == [5, 4, 3, 2, 1]


def test_links_keep_the_filters(rows):
    first = _page(rows, "q=a&state=live")
    second = _page(rows, first.older.lstrip("?"))

    assert first.newest == ""
    assert first.older.startswith("?q=a&state=live&before=")
    assert second.newest == "?q=a&state=live"


@pytest.mark.parametrize("before", ["", "x", "%00", "9" * 500])
def test_a_place_that_is_none_is_the_beginning(rows, before):
    assert [row.pk.int for row in _page(rows, f"before={before}").rows] == [5, 4]
