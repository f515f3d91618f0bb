"""What holds for every test: no test is about how long something took on this machine."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "leadsend",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("leadsend")


@pytest.fixture(autouse=True)
def nothing_is_written_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused requests stay counted until a test writes them: no thread outlives its database."""
    monkeypatch.setattr("triggers.refusals.Refusals._start_timer", lambda _self: None)
