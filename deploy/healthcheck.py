"""Tells the container engine whether this container does its part: exit code 0 or 1.

Without an argument: whether the web process answers. With ``worker`` or ``beat``: whether such a
process is the container's first one; whether it gets on is what /healthz on web tells.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

URL = "http://127.0.0.1:8000/readyz"


def web_answers() -> bool:
    # The name that the site is called by: another one would be refused.
    host = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].lstrip(".*") or "localhost"
    headers = {"Host": host, "X-Forwarded-Proto": "https"}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(URL, headers=headers), timeout=4
        ) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def plays(part: str) -> bool:
    return part in Path("/proc/1/cmdline").read_text().split("\0")


if __name__ == "__main__":
    is_well = plays(sys.argv[1]) if len(sys.argv) > 1 else web_answers()
    sys.exit(0 if is_well else 1)
