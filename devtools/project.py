"""Where things lie in a clone: sources, virtual environment, state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One clone of the repository."""

    root: Path

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        return self.program("python")

    @property
    def state(self) -> Path:
        """The folder of everything that a run leaves behind: data, logs, secrets."""
        return self.root / ".leadsend"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    def program(self, name: str) -> Path:
        return self.venv / "bin" / name

    def site_packages(self) -> Path | None:
        """Return the folder the lock is installed in, or None before the set-up."""
        return next(iter(sorted(self.venv.glob("lib/python3*/site-packages"))), None)


THIS = Project(root=Path(__file__).resolve().parent.parent)
