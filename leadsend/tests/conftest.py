"""How tests that need a real browser start it."""

from __future__ import annotations

import pytest

from devtools.browser import find_browser

_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser_type_launch_args():
    """How Chromium is started; it must be on PATH."""
    program = find_browser()
    assert program is not None, "Browser tests need Chromium: run ./dev setup."
    return {"executable_path": str(program), "args": _QUIET}
