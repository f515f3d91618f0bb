"""What holds for every test: no test is about how long something took on this machine."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "leadsend",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("leadsend")
