"""The pages in docs/actions are what the contracts say; UPDATE_DOCS=1 writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from registry.catalog import catalog
from registry.sdk.pages import action_page

PAGES = Path(__file__).parents[2] / "docs" / "actions"


@pytest.mark.parametrize("key", catalog().action_keys())
def test_the_page_of_an_action_is_current(key):
    page = PAGES / f"{key}.md"
    action = catalog().action(key)
    assert action is not None
    if os.environ.get("UPDATE_DOCS"):
        page.write_text(action_page(action), encoding="utf-8")

    assert page.read_text(encoding="utf-8") == action_page(action)


def test_there_is_no_page_without_an_action():
    assert {page.stem for page in PAGES.glob("*.md")} == set(catalog().action_keys())
