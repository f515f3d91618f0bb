"""T3, second part: the answer to a commit is lost, a thousand times."""

from __future__ import annotations

import time
from typing import Any

from leadsend.testing.stack import Stack
from leadsend.trust.cutting_proxy import CuttingProxy
from leadsend.trust.scene import Form, count, hard_gates, play, settle
from leadsend.trust.verdict import Gate, result_of, zero

FULL_EVENTS = 10_000
CUTS = 1000
CHANCE = 0.1
LIMIT_S = 900.0


def run(form: Form) -> dict[str, Any]:
    """Play it; return figures, gates and ``passed``. Fewer than 10,000 events get their share."""
    cuts = max(20, round(CUTS * min(1.0, form.events / FULL_EVENTS)))
    proxies: list[CuttingProxy] = []

    def through_proxy(stack: Stack) -> dict[str, str]:
        target = int(stack.environment["POSTGRES_PORT"])
        proxies.append(CuttingProxy(target, most=cuts, chance=CHANCE, seed=form.seed))
        proxies[0].start()
        return {"POSTGRES_PORT": str(proxies[0].port)}

    try:
        with play(form, settings=through_proxy) as scene:
            (proxy,) = proxies
            proxy.armed.set()
            limit = time.monotonic() + LIMIT_S
            scene.traffic.run(
                least=form.events,
                goes_on=lambda: proxy.cuts < cuts and time.monotonic() < limit,
            )
            proxy.armed.clear()
            settled = settle(scene)
            figures = count(scene, settled)
            figures |= {"commits_cut": proxy.cuts, "cut": proxy.cut_queries}
            gates = [
                zero("rows twice", figures["rows_twice"]),
                Gate(name="commits whose answer was lost", value=proxy.cuts, must=cuts),
            ]
            return result_of(figures, [*hard_gates(figures), *gates])
    finally:
        for one in proxies:
            one.stop()
