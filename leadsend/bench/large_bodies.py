"""What twenty posts of 10 MiB at the same time do to the memory of the web process."""

from __future__ import annotations

import base64
import http.client
import json
import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psutil

from leadsend.lib import clock
from leadsend.lib.input_guard import MAX_BYTES
from leadsend.testing.stack import running_stack
from leadsend.trust.crash import demo_values

AT_ONCE: Final = 20
_FLOW: Final = {
    "name": "Large bodies",
    "publish": True,
    "triggers": [
        {
            "id": "lead",
            "trigger_key": "webhook",
            "cfg": {"auth": {"mode": "none", "confirm_unauthenticated": True}},
        }
    ],
    "steps": [{"id": "done", "kind": "end", "cfg": {}}],
}
_LEAD: Final = {"email": "lead@example.com", "name": "Ada Byron", "score": 42, "note": "x" * 60}


def run() -> dict[str, Any]:
    """Return, by kind of body, what the resident memory rose by (MiB) and how long it took (s)."""
    with running_stack(Path(tempfile.mkdtemp(prefix="leadsend-large-"))) as stack:
        stack.start("web")
        created = stack.request(
            "POST", "/api/v1/workflows/", _FLOW, token=demo_values(stack)["API_TOKEN"]
        )
        url = created.body["webhook_endpoints"][0]["url"]
        web = psutil.Process(stack.members["web"].pid)
        send = partial(_post, url)
        for _ in range(AT_ONCE):
            send(b"{}")
        return {name: _measure(web, send, body) for name, body in _bodies().items()}


def _bodies() -> dict[str, bytes]:
    noise = base64.b64encode(os.urandom(MAX_BYTES * 3 // 4 - 60)).decode()
    rows = (MAX_BYTES - 20) // (len(json.dumps(_LEAD)) + 2)
    return {
        "one text": json.dumps({"note": noise}).encode(),
        "list of leads": json.dumps({"rows": [_LEAD] * rows}).encode(),
    }


def _measure(web: psutil.Process, send: Any, body: bytes) -> dict[str, Any]:
    before = web.memory_info().rss
    peak, is_over = [before], threading.Event()

    def watch() -> None:
        while not is_over.wait(0.02):
            peak[0] = max(peak[0], web.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = clock.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = list(pool.map(send, [body] * AT_ONCE))
    is_over.set()
    watcher.join()
    return {
        "accepted": statuses.count(202),
        "rise_mib": round((peak[0] - before) / 2**20),
        "seconds": round(clock.monotonic() - began, 1),
    }


def _post(url: str, body: bytes) -> int:
    parts = urlsplit(url)
    link = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=300)
    try:
        link.request("POST", parts.path, body, {"content-type": "application/json"})
        answer = link.getresponse()
        answer.read()
        return answer.status
    finally:
        link.close()
