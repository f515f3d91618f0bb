"""Makes the actions of trust runs known to a stack, the way an installed package does."""

from __future__ import annotations

import os
from pathlib import Path

from devtools.project import THIS

METADATA = "Metadata-Version: 2.1\nName: leadsend-trust\nVersion: 1\n"
ENTRY_POINTS = "[leadsend.actions]\ntrust = leadsend.trust.actions\n"


def announce_actions(directory: Path) -> dict[str, str]:
    """Write a package's metadata into ``directory``; return the variables that let it be found."""
    described = directory / "announced" / "leadsend_trust-1.dist-info"
    described.mkdir(parents=True, exist_ok=True)
    (described / "METADATA").write_text(METADATA)
    (described / "entry_points.txt").write_text(ENTRY_POINTS)
    return {"PYTHONPATH": os.pathsep.join([str(described.parent), str(THIS.root)])}
