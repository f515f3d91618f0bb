"""``./dev trust [NAME] [--full] [--seed N]``: runs one trust run, or all, and keeps the results."""

from __future__ import annotations

import sys

from leadsend.trust.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
